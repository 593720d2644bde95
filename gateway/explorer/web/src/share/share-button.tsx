import { pick, ToolbarButton, useGraphiQL } from "@graphiql/react";
import { useState } from "react";
import { createPortal } from "react-dom";
import { authorizationOf, readHeaders, type Headers } from "../credentials";
import { readObject } from "../json";
import { HAS_CLIPBOARD, useCopying } from "../results/copyable";
import type { Settings } from "../settings";
import { useModal } from "../use-modal";
import { linkTo } from "./link";
import { LANGUAGES, type Shared } from "./snippets";

/** Takes the operation elsewhere: into a program, or to somebody else. */
export function ShareButton({ settings }: { settings: Settings }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <ToolbarButton label="Copy as code, or share a link" onClick={() => setOpen(true)}>
        <svg
          className="graphiql-toolbar-icon"
          viewBox="0 0 20 20"
          fill="none"
          stroke="currentColor"
          strokeWidth="1.6"
          strokeLinecap="round"
          strokeLinejoin="round"
          aria-hidden="true"
        >
          <path d="M10 12.5V3M6.5 6 10 2.8 13.5 6M4 10v6.2h12V10" />
        </svg>
      </ToolbarButton>
      {isOpen &&
        createPortal(<ShareDialog settings={settings} close={() => setOpen(false)} />, document.body)}
    </>
  );
}

function ShareDialog({ settings, close }: { settings: Settings; close(): void }) {
  const { queryEditor, variableEditor, headerEditor, operationName } = useGraphiQL(
    pick("queryEditor", "variableEditor", "headerEditor", "operationName"),
  );
  const [chosen, setChosen] = useState(LANGUAGES[0]?.name);
  const dialog = useModal();

  const variables = variableEditor?.getValue() ?? "";
  const query = queryEditor?.getValue() ?? "";
  const shared: Shared = {
    query,
    variables: readObject(variables),
    operationName: operationName ?? null,
    headers: readHeaders(headerEditor?.getValue() ?? "") ?? {},
  };
  const url = new URL(settings.graphqlPath, location.href).href;
  const language = LANGUAGES.find(({ name }) => name === chosen);
  const code = language?.write(shared, url, schemeOf(shared.headers) ?? settings.auth) ?? "";

  return (
    <dialog ref={dialog} className="deed share" aria-labelledby="share-title" onClose={close}>
      <h2 id="share-title">Take it elsewhere</h2>
      <div className="share-head">
        <div className="segmented is-small" role="radiogroup" aria-label="Copy as">
          {LANGUAGES.map(({ name }) => (
            <label key={name}>
              <input
                type="radio"
                name="share-language"
                checked={name === chosen}
                onChange={() => setChosen(name)}
              />
              <span>{name}</span>
            </label>
          ))}
        </div>
        <Copy key={chosen} text={code} label={`Copy as ${chosen}`} />
      </div>
      <pre className="share-code" tabIndex={0} role="region" aria-label={`The operation for ${chosen}`}>
        {code}
      </pre>
      <p className="share-note">Credentials and other headers are placeholders: yours are not in it.</p>
      <h3>A link to it</h3>
      <div className="share-link">
        <input
          readOnly
          aria-label="Link to the operation"
          value={linkTo({ query, variables })}
          onFocus={(event) => event.target.select()}
        />
        <Copy text={linkTo({ query, variables })} label="Copy the link" />
      </div>
      <p className="share-note">
        It opens the operation and its variables in a new tab and runs nothing. Headers are never in it.
      </p>
      <form method="dialog" className="deed-buttons">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}

function Copy({ text, label }: { text: string; label: string }) {
  const { copied, copy } = useCopying();
  if (!HAS_CLIPBOARD) return null;
  return (
    <button type="button" className="small" aria-label={label} onClick={() => void copy(text)}>
      {copied ? "Copied" : "Copy"}
    </button>
  );
}

/** How whoever asks now says who it is: in the sandbox credentials are taken, and not needed. */
function schemeOf(headers: Headers): Settings["auth"] | null {
  const authorization = authorizationOf(headers)?.trim() ?? "";
  if (/^basic\s/i.test(authorization)) return "pass-through";
  return /^bearer\s/i.test(authorization) ? "tokens" : null;
}
