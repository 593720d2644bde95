import { pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { getOperationAST } from "graphql";
import { useId, useMemo, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { readHeaders } from "../credentials";
import { readObject, type JsonObject } from "../json";
import { readNumbers } from "../live";
import type { Settings } from "../settings";
import type { Owned } from "../touched";
import { useModal } from "../use-modal";
import { usePlace } from "../use-place";
import { Field, withField } from "./form";
import { variablesOf } from "./wanted";

/** Of the pane of the variables; the button comes before it. */
const TOGGLE = ".graphiql-editor-tools > .graphiql-toggle-editor-tools";

/** A button beside the variables that opens a form for them; none where an operation has none. */
export function VariablesForm({ settings }: { settings: Settings }) {
  const { schema, documentAST, operationName } = useGraphiQL(pick("schema", "documentAST", "operationName"));
  const [isOpen, setOpen] = useState(false);
  const place = usePlace(TOGGLE, "beforebegin", "variables-place");
  const operation = documentAST && getOperationAST(documentAST, operationName);
  if (!schema || !place || !operation?.variableDefinitions?.length) return null;
  return (
    <>
      {createPortal(
        <button
          type="button"
          className="chip is-link"
          aria-haspopup="dialog"
          title="Fill in the variables in a form"
          onClick={() => setOpen(true)}
        >
          Fill in
        </button>,
        place,
      )}
      {isOpen && <VariablesDialog settings={settings} close={() => setOpen(false)} />}
    </>
  );
}

function VariablesDialog({ settings, close }: { settings: Settings; close(): void }) {
  const { schema, documentAST, operationName } = useGraphiQL(pick("schema", "documentAST", "operationName"));
  const { variableEditor, headerEditor } = useGraphiQL(pick("variableEditor", "headerEditor"));
  const { run, updateActiveTabValues } = useGraphiQLActions();
  const [values, setValues] = useState(() => readObject(variableEditor?.getValue() ?? ""));
  const [owned, setOwned] = useState<Owned[]>([]);
  const dialog = useModal();
  const asked = useRef(false);
  const id = useId();

  const wanted = useMemo(() => {
    const operation = documentAST && getOperationAST(documentAST, operationName);
    return schema && documentAST && operation ? variablesOf(schema, documentAST, operation) : [];
  }, [documentAST, operationName, schema]);

  const load = async () => {
    if (asked.current) return;
    asked.current = true;
    const headers = readHeaders(headerEditor?.getValue() ?? "") ?? {};
    setOwned((await readNumbers("owned", settings.graphqlPath, headers)).owned);
  };

  const write = (next: JsonObject) => {
    const text = JSON.stringify(next, null, 2);
    setValues(next);
    variableEditor?.setValue(text);
    updateActiveTabValues({ variables: text });
  };
  const missing = wanted.filter((each) => each.isRequired && values?.[each.name] === undefined);

  return (
    <dialog ref={dialog} className="deed variables-form" aria-labelledby={`${id}title`} onClose={close}>
      <h2 id={`${id}title`}>Variables of {operationName ?? "this operation"}</h2>
      {values ? (
        <form
          method="dialog"
          onSubmit={() => run()}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey))
              event.currentTarget.requestSubmit();
          }}
        >
          {wanted.map((each) => (
            <Field
              key={each.name}
              wanted={each}
              value={values[each.name]}
              numbers={{ owned, load: () => void load() }}
              change={(value) => write(withField(values, each.name, value))}
            />
          ))}
          <p role="status">
            {missing.length > 0 && `Still to be given: ${missing.map((each) => each.name).join(", ")}.`}
          </p>
          <div className="deed-buttons">
            <button type="button" onClick={() => dialog.current?.close()}>
              Close
            </button>
            <button type="submit" className="primary" disabled={missing.length > 0}>
              Run
            </button>
          </div>
        </form>
      ) : (
        <>
          <p>What stands in the variables is not a JSON object. Mend it there, or begin with none.</p>
          <div className="deed-buttons">
            <button type="button" onClick={() => dialog.current?.close()}>
              Close
            </button>
            <button type="button" className="primary" onClick={() => write({})}>
              Begin with none
            </button>
          </div>
        </>
      )}
    </dialog>
  );
}
