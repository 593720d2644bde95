/** What the gateway tells its explorer before anything runs (`GET /explorer/config.json`). */
export interface SandboxAccount {
  sid: string;
  authToken: string;
  /** `parent`, `subaccount`, `trial`… */
  role: string;
  /** The parent of a subaccount; the account itself otherwise. */
  ownerSid: string;
}

export interface Settings {
  graphqlPath: string;
  subscriptionsPath: string;
  /** Accounts of the embedded sandbox, the first of which is acted as unless another is chosen; null when a real upstream is behind the gateway. */
  sandbox: { accounts: SandboxAccount[]; url?: string } | null;
  /** What the gateway wants of whoever asks: the upstream's own credentials, a token, or nothing. */
  auth: "pass-through" | "tokens" | "open";
  /** Whether the gateway answers `X-Gateway-Explain`. */
  explain: boolean;
}

export async function loadSettings(): Promise<Settings> {
  const answer = await fetch("/explorer/config.json", { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`The gateway answered ${answer.status} for its explorer settings.`);
  return (await answer.json()) as Settings;
}
