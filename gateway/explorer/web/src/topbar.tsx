import { pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect, useRef, useState, type FormEvent } from "react";
import {
  ANY_CREDENTIALS,
  basic,
  currentAccount,
  FIRST_CREDENTIALS,
  isLocked,
  keyHeaders,
} from "./credentials";
import { readHeaders, useBrought, useChosenAccount, withCredentials, type Headers } from "./credentials";
import { FeedPills } from "./feed-pills";
import { useFrontTab } from "./front-tab";
import { Mark } from "./mark";
import { SandboxMenu } from "./sandbox-menu";
import { shortened } from "./results/format";
import type { Settings } from "./settings";
import { useClosing } from "./use-closing";
import { forgetWho, useWhoAsks, type Who } from "./who-asks";

/** Name, whose account is used, and light or dark. */
export function TopBar({ settings }: { settings: Settings }) {
  return (
    <header className="topbar">
      <h1 className="brand">
        <Mark />
        number<span>gateway</span>
      </h1>
      <FeedPills />
      {settings.sandbox ? (
        <AccountPicker accounts={settings.sandbox.accounts} />
      ) : (
        <SignIn settings={settings} />
      )}
      <ThemeButton />
    </header>
  );
}

/** With a real upstream: credentials go into the headers of every tab, and are kept nowhere else. */
function SignIn({ settings }: { settings: Settings }) {
  const { headerEditor, responseEditor } = useGraphiQL(pick("headerEditor", "responseEditor"));
  const { headers, response } = useFrontTab() ?? {};
  const { introspect } = useGraphiQLActions();
  const bring = useBrought((state) => state.bring);
  const details = useRef<HTMLDetailsElement>(null);
  const wanted = isLocked(settings, headers ?? "");
  const who = useWhoAsks(settings);
  /** Whether the answer to what the form sent is still awaited. */
  const sent = useRef(false);
  useClosing(details);

  // Wrong ones are told where they were entered.
  useEffect(() => {
    if (who.is === "checking" || who.is === "nobody") return;
    if (sent.current && who.is === "refused" && details.current) details.current.open = true;
    sent.current = false;
  }, [who.is]);

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const credentials = readForm(new FormData(event.currentTarget));
    forgetWho(credentials);
    sent.current = true;
    bring(credentials);
    // The tab in front takes them even over what was typed there: this is what was asked for.
    const others = readHeaders(headerEditor?.getValue() ?? "") ?? {};
    headerEditor?.setValue(JSON.stringify(withCredentials(others, credentials, ANY_CREDENTIALS), null, 2));
    // Without credentials the gateway had not shown its schema either, and the pane said so.
    if (!response) responseEditor?.setValue("");
    void introspect();
    event.currentTarget.reset();
    if (details.current) details.current.open = false;
  };

  return (
    <>
      <span className="badge is-real" title="Buying costs money; a released number may go to somebody else">
        Real upstream
      </span>
      <SignedIn who={who} />
      <details ref={details} className="sign-in">
        <summary className={wanted ? "chip is-link is-wanted" : "chip is-link"}>Credentials</summary>
        <form onSubmit={submit} autoComplete="off">
          {wanted && <p className="sign-in-first">{FIRST_CREDENTIALS}</p>}
          {who.is === "refused" && (
            <p className="sign-in-refused" role="alert">
              <b>These credentials were not accepted.</b> {who.why}
            </p>
          )}
          {settings.auth === "tokens" ? <TokenField /> : <SecretFields />}
          <p>They go into the headers of every tab and are not stored.</p>
          <button type="submit">Use them</button>
        </form>
      </details>
    </>
  );
}

/** What the gateway makes of the credentials that are chosen. */
function SignedIn({ who }: { who: Who }) {
  if (who.is === "nobody") return null;
  if (who.is === "refused")
    return (
      <span className="signed-in is-error" role="status">
        Not accepted
      </span>
    );
  const title = who.is === "known" ? (who.sid ?? undefined) : who.is === "unsure" ? who.why : undefined;
  return (
    <span className="signed-in" role="status" title={title}>
      {who.is === "checking" && "Checking…"}
      {who.is === "accepted" && "Signed in"}
      {who.is === "unsure" && "Could not be checked"}
      {who.is === "known" && (
        <>
          <span className="needs-room">Signed in as </span>
          {who.name && <b>{who.name}</b>} {who.sid && <code>{shortened(who.sid)}</code>}
        </>
      )}
    </span>
  );
}

function TokenField() {
  return (
    <label>
      Bearer token
      <input name="bearer" type="password" required autoComplete="off" spellCheck={false} />
    </label>
  );
}

/** An account with its token, or an API key: then the account has to be named, too. */
function SecretFields() {
  const [name, setName] = useState("");
  const isKey = name.trim().startsWith("SK");
  return (
    <>
      <label>
        Account SID or API key SID
        <input
          name="sid"
          required
          pattern="\s*(AC|SK)[0-9a-fA-F]{32}\s*"
          title="AC or SK and 32 hexadecimal digits"
          placeholder="AC… or SK…"
          spellCheck={false}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </label>
      <label>
        {isKey ? "Secret" : "Auth token"}
        <input name="token" type="password" required autoComplete="off" />
      </label>
      {isKey && (
        <label>
          Account SID
          <input
            name="account"
            required
            pattern="\s*AC[0-9a-fA-F]{32}\s*"
            title="AC and 32 hexadecimal digits"
            placeholder="AC…"
            spellCheck={false}
          />
        </label>
      )}
    </>
  );
}

function readForm(form: FormData): Headers {
  const field = (name: string) => String(form.get(name) ?? "").trim();
  if (form.has("bearer")) return { Authorization: `Bearer ${field("bearer").replace(/^Bearer\s+/i, "")}` };
  const [sid, secret] = [field("sid"), field("token")];
  if (form.has("account")) return keyHeaders(sid, secret, field("account"));
  return { Authorization: basic({ sid, authToken: secret }) };
}

function AccountPicker({ accounts }: { accounts: NonNullable<Settings["sandbox"]>["accounts"] }) {
  const { sid, choose } = useChosenAccount();
  const account = currentAccount(accounts, sid);
  return (
    <>
      <SandboxMenu />
      <select
        className="account"
        aria-label="Account"
        value={account?.sid}
        onChange={(event) => choose(event.target.value)}
      >
        {accounts.map((known) => (
          <option key={known.sid} value={known.sid}>
            {known.role} · {known.sid.slice(0, 6)}…{known.sid.slice(-4)}
          </option>
        ))}
      </select>
    </>
  );
}

const NEXT = { light: "dark", dark: null, system: "light" } as const;

function ThemeButton() {
  const theme = useGraphiQL((state) => state.theme);
  const { setTheme } = useGraphiQLActions();
  const name = theme ?? "system";
  return (
    <button
      type="button"
      className="theme-button"
      aria-label={`Theme: ${name}`}
      title={`Theme: ${name}`}
      onClick={() => setTheme(NEXT[name])}
    >
      <svg viewBox="0 0 20 20" aria-hidden="true">
        <circle cx="10" cy="10" r="6.5" fill="none" stroke="currentColor" strokeWidth="1.6" />
        {name === "dark" && <circle cx="10" cy="10" r="6.5" fill="currentColor" />}
        {name === "system" && <path d="M10 3.5a6.5 6.5 0 0 1 0 13z" fill="currentColor" />}
      </svg>
    </button>
  );
}
