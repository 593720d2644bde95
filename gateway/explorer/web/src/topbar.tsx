import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { currentAccount, useChosenAccount } from "./credentials";
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
      {settings.sandbox ? <AccountPicker accounts={settings.sandbox.accounts} /> : <LiveBadge />}
      <ThemeButton />
    </header>
  );
}

function LiveBadge() {
  return (
    <p className="badge is-real" title="Buying costs money, releasing cannot be undone">
      Real upstream
    </p>
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
