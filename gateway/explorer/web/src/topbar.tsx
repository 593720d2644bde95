import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useRef, type FormEvent } from "react";
import { currentAccount, headersFor, useChosenAccount } from "./credentials";
import { Mark } from "./mark";
import type { Settings } from "./settings";

/** Name, whose account is used, and light or dark. */
export function TopBar({ settings }: { settings: Settings }) {
  return (
    <header className="topbar">
      <h1 className="brand">
        <Mark />
        number<span>gateway</span>
      </h1>
      <span className="toolbar-gap" />
      {settings.sandbox ? <AccountPicker accounts={settings.sandbox.accounts} /> : <SignIn />}
      <ThemeButton />
    </header>
  );
}

/** With a real upstream: credentials go into the headers editor, and are kept nowhere else. */
function SignIn() {
  const headerEditor = useGraphiQL((state) => state.headerEditor);
  const { introspect } = useGraphiQLActions();
  const details = useRef<HTMLDetailsElement>(null);

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const account = { sid: String(form.get("sid")).trim(), authToken: String(form.get("token")).trim() };
    headerEditor?.setValue(headersFor(account));
    // Without credentials the gateway had not shown its schema either.
    void introspect();
    event.currentTarget.reset();
    if (details.current) details.current.open = false;
  };

  return (
    <>
      <span className="badge is-real" title="Buying costs money, releasing cannot be undone">
        Real upstream
      </span>
      <details ref={details} className="sign-in">
        <summary className="chip is-link">Credentials</summary>
        <form onSubmit={submit} autoComplete="off">
          <label>
            Account SID
            <input name="sid" required pattern="AC[0-9a-fA-F]{32}" placeholder="AC…" spellCheck={false} />
          </label>
          <label>
            Auth token
            <input name="token" type="password" required autoComplete="off" />
          </label>
          <p>They go into the headers of this tab and are not stored.</p>
          <button type="submit">Use them</button>
        </form>
      </details>
    </>
  );
}

function AccountPicker({ accounts }: { accounts: NonNullable<Settings["sandbox"]>["accounts"] }) {
  const { sid, choose } = useChosenAccount();
  const account = currentAccount(accounts, sid);
  return (
    <label className="account">
      <span className="badge">Sandbox</span>
      <select aria-label="Account" value={account?.sid} onChange={(event) => choose(event.target.value)}>
        {accounts.map((known) => (
          <option key={known.sid} value={known.sid}>
            {known.role} · {known.sid.slice(0, 6)}…{known.sid.slice(-4)}
          </option>
        ))}
      </select>
    </label>
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
