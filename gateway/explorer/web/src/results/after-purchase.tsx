import { pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useState, type FormEvent } from "react";
import { flushSync } from "react-dom";
import type { Operation } from "../wire";
import { Copyable } from "./copyable";
import { OperationText } from "./deed";
import { begin, close, dismiss, outcome, sendChange, type Ask, type Deed, type Stage } from "./deeds";

const SET_WEBHOOK = `mutation SetWebhook($sid: ID!, $account: ID, $configuration: ConfigurationInput!) {
  configurePhoneNumber(input: { sid: $sid, accountSid: $account, configuration: $configuration }) {
    phoneNumber { sid phoneNumber accountSid configuration { voice { url } sms { url } } }
    userErrors { field code message }
  }
}`;

const MY_NUMBERS = `query MyNumbers($number: E164!, $account: ID) {
  phoneNumbers(accountSid: $account, first: 20, filter: { phoneNumber: $number }) {
    nodes {
      sid
      phoneNumber
      accountSid
      friendlyName
      configuration { voice { url } sms { url } }
    }
  }
}`;

interface Props {
  deed: Deed;
  /** Of the number that was bought. */
  sid: string;
  ask: Ask;
  /** Told when the number is shown among the others. */
  onShow(): void;
}

/** What people do next with the number that they have bought. */
export function AfterPurchase({ deed, sid, ask, onShow }: Props) {
  const { number, account, headers, run } = deed;
  const [asksWebhook, setAsksWebhook] = useState(false);
  const showAmongOthers = useOwnTab();

  const show = () => {
    close(deed);
    onShow();
    showAmongOthers(MY_NUMBERS, { number, account }, headers);
  };
  const release = () => {
    dismiss(deed);
    begin("Release", { ...deed.row, sid, accountSid: account }, { headers, run });
  };

  return (
    <section className="deed-next" aria-label="What next">
      <p>
        <Copyable text={number} name="number" />
        <br />
        <Copyable text={sid} name="sid" />
      </p>
      <div className="deed-buttons">
        <button type="button" aria-expanded={asksWebhook} onClick={() => setAsksWebhook(!asksWebhook)}>
          Set webhook
        </button>
        <button type="button" onClick={show}>
          Show in my numbers
        </button>
        <button type="button" onClick={release}>
          Release
        </button>
      </div>
      {asksWebhook && <WebhookForm deed={deed} sid={sid} ask={ask} />}
    </section>
  );
}

/** Asks where calls and messages go, and shows the very operation that it sends. */
function WebhookForm({ deed, sid, ask }: { deed: Deed; sid: string; ask: Ask }) {
  const [voice, setVoice] = useState("");
  const [sms, setSms] = useState("");
  const [stage, setStage] = useState<Stage>({ is: "asking" });
  const configuration = { ...(voice && { voice: { url: voice } }), ...(sms && { sms: { url: sms } }) };
  const operation: Operation = {
    query: SET_WEBHOOK,
    operationName: "SetWebhook",
    variables: { sid, account: deed.account, configuration },
  };
  const send = async (event: FormEvent) => {
    event.preventDefault();
    setStage({ is: "running" });
    const { status, body } = await sendChange(deed, operation, ask);
    setStage(outcome(status, body));
  };
  return (
    <form className="deed-webhook" onSubmit={(event) => void send(event)}>
      <label>
        URL for calls
        <input type="url" value={voice} placeholder="https://…" onChange={(e) => setVoice(e.target.value)} />
      </label>
      <label>
        URL for messages
        <input type="url" value={sms} placeholder="https://…" onChange={(e) => setSms(e.target.value)} />
      </label>
      <OperationText operation={operation} />
      <div className="deed-buttons">
        <button type="submit" className="primary" disabled={(!voice && !sms) || stage.is === "running"}>
          Send it
        </button>
        <p role="note" className={`deed-outcome is-${stage.is}`} aria-live="polite">
          {told(stage)}
        </p>
      </div>
    </form>
  );
}

function told(stage: Stage): string {
  switch (stage.is) {
    case "running":
      return "Setting it…";
    case "done":
      return "Webhook set.";
    case "refused":
      return `Refused. ${stage.why}`;
    case "unknown":
      return `Outcome unknown. ${stage.why} Sending it again does no harm.`;
    default:
      return "";
  }
}

/** Runs an operation in a tab of its own: the one that has it already, or a new one. */
function useOwnTab() {
  const { tabs } = useGraphiQL(pick("tabs"));
  const { queryEditor, variableEditor, headerEditor } = useGraphiQL(
    pick("queryEditor", "variableEditor", "headerEditor"),
  );
  const { addTab, changeTab, run } = useGraphiQLActions();
  return (query: string, variables: object, headers: object) => {
    const index = tabs.findIndex((tab) => tab.query === query);
    // At once: what is written and run from here on belongs to that tab.
    flushSync(() => (index < 0 ? addTab() : changeTab(index)));
    queryEditor?.setValue(query);
    variableEditor?.setValue(JSON.stringify(variables, null, 2));
    headerEditor?.setValue(JSON.stringify(headers, null, 2));
    setTimeout(run);
  };
}
