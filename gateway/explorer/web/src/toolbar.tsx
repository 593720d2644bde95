import { pick, useGraphiQL } from "@graphiql/react";
import { getOperationAST } from "graphql";
import { useState, type ReactNode } from "react";
import { readHeaders } from "./credentials";
import { exampleOf } from "./examples";
import { useFrontTab } from "./front-tab";
import { isObject } from "./json";
import { nodes } from "./live";
import { openPanel, UPSTREAM_TITLE } from "./panels";
import { spaced } from "./results/format";
import type { Settings } from "./settings";
import { ShareButton } from "./share/share-button";
import { useTransport, type Transport } from "./subscriptions";
import { divided, range } from "./upstream/plan-view";
import type { Plan } from "./upstream/types";
import { usePlanned } from "./upstream/use-plan";
import { useTabKeeper } from "./use-tab-keeper";
import { send } from "./wire";

interface Props {
  settings: Settings;
  children: ReactNode;
}

/** Beside Run: what it would cost, and what only some operations need. */
export function Toolbar({ settings, children }: Props) {
  const { documentAST, operationName } = useGraphiQL(pick("documentAST", "operationName"));
  const { owned, lack, load, choose } = useTabKeeper(settings);
  const example = exampleOf(useFrontTab()?.query);
  const kind = documentAST && getOperationAST(documentAST, operationName)?.operation;
  return (
    <>
      {kind === "subscription" ? <LiveTools settings={settings} /> : <PlanChip />}
      {example?.needs === "for sale" && (
        <button
          type="button"
          className="chip is-link"
          title="Fill in a number that is for sale now"
          onClick={() => void choose(null)}
        >
          Another number
        </button>
      )}
      {example?.needs === "owned" && (
        <select
          className="chip is-link"
          aria-label="Choose a number of yours"
          value=""
          onFocus={() => void load()}
          onChange={({ target }) => {
            const number = owned.find((each) => each.sid === target.value);
            if (number) void choose(number);
          }}
        >
          <option value="">Choose a number…</option>
          {owned.map((number) => (
            <option key={number.sid} value={number.sid}>
              {spaced(number.phoneNumber)}
            </option>
          ))}
        </select>
      )}
      {lack && (
        <span className="lack" role="status">
          {lack}
        </span>
      )}
      <span className="toolbar-gap" />
      <span className="toolbar-icons">
        {children}
        <ShareButton settings={settings} />
      </span>
    </>
  );
}

function PlanChip() {
  const { plan, refused, note } = usePlanned();
  if (!plan && !refused) return null;
  const refusal = refused ? note : plan?.refusals?.[0]?.message;
  // Of several items some may be refused, and the others are written.
  const nothing = refused || (refusal !== undefined && plan !== null && divided(plan).writes === 0);
  return (
    <button
      type="button"
      className={refusal ? "chip is-link is-error" : "chip is-link"}
      title={refusal ?? "What this will cost upstream"}
      onClick={() => openPanel(UPSTREAM_TITLE)}
    >
      {plan && !nothing ? (
        <>
          Plan <PlanInBrief plan={plan} />
        </>
      ) : (
        "Would be refused"
      )}
    </button>
  );
}

/** A write is told apart from the look-ups around it: nobody shall read that it is sent so often. */
function PlanInBrief({ plan }: { plan: Plan }) {
  const { writes, reads } = divided(plan);
  const calls = (
    <>
      <b>{range(reads)}</b> {writes ? "look-up" : "call"}
      {reads.max === 1 ? "" : "s"}
    </>
  );
  if (!writes) return calls;
  return (
    <>
      {reads.max > 0 && <>{calls} + </>}
      <b>{writes}</b> {writes === 1 ? "write" : "writes"}
    </>
  );
}

const FIRST_NUMBER = "query FirstNumber { phoneNumbers(first: 1) { nodes { sid } } }";
const RENAME = `mutation Rename($sid: ID!, $name: String!) {
  configurePhoneNumber(input: { sid: $sid, configuration: { friendlyName: $name } }) { userErrors { message } }
}`;

/** A subscription can travel two ways; and in a sandbox nothing happens unless somebody makes it. */
function LiveTools({ settings }: { settings: Settings }) {
  const { transport, prefer } = useTransport();
  const headerEditor = useGraphiQL((state) => state.headerEditor);
  const isFetching = useGraphiQL((state) => state.isFetching || state.subscription !== null);
  const [busy, setBusy] = useState(false);

  const causeEvent = async () => {
    setBusy(true);
    try {
      const headers = readHeaders(headerEditor?.getValue() ?? "") ?? {};
      const { body } = await send(settings.graphqlPath, { query: FIRST_NUMBER }, headers, null);
      const [number] = isObject(body.data) ? nodes(body.data.phoneNumbers) : [];
      if (typeof number?.sid !== "string") return;
      const name = `Renamed at ${new Date().toLocaleTimeString("en-GB")}`;
      await send(
        settings.graphqlPath,
        { query: RENAME, variables: { sid: number.sid, name } },
        headers,
        null,
      );
    } finally {
      setBusy(false);
    }
  };

  return (
    <>
      <div className="segmented is-small" role="radiogroup" aria-label="Subscribe over">
        {(["sse", "ws"] satisfies Transport[]).map((choice) => (
          <label key={choice}>
            <input
              type="radio"
              name="transport"
              checked={transport === choice}
              disabled={isFetching}
              onChange={() => prefer(choice)}
            />
            <span>{{ sse: "SSE", ws: "WebSocket" }[choice]}</span>
          </label>
        ))}
      </div>
      {settings.sandbox && (
        <button type="button" className="chip is-link" disabled={busy} onClick={() => void causeEvent()}>
          Cause an event
        </button>
      )}
    </>
  );
}
