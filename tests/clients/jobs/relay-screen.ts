import { createElement } from "react";
import { RelayEnvironmentProvider } from "react-relay";
import { type OperationDescriptor, createOperationDescriptor, getRequest } from "relay-runtime";
import { createRelayEnvironment } from "../build/app/src/relay/environment.js";
import { NumbersScreen } from "../build/app/src/relay/NumbersScreen.js";
import * as compiled from "../build/app/src/relay/answers.js";
import * as answers from "./answers.js";
import { breaking } from "./breaking.js";
import { environment, present } from "./job.js";
import { runScreen } from "./screen.js";

const { url, authorization } = environment();
const wire = await breaking(url);
const relay = createRelayEnvironment(wire.url, authorization);

function operation(document: string, variables: Record<string, unknown>): OperationDescriptor {
  const [name] = present(Object.entries(answers).find(([, text]) => text === document));
  return createOperationDescriptor(getRequest(compiled[name as keyof typeof compiled]), variables);
}

await runScreen(createElement(RelayEnvironmentProvider, { environment: relay, children: createElement(NumbersScreen) }), wire, {
  async ask(document, variables) {
    const asked = operation(document, variables);
    relay.retain(asked);
    if (document.startsWith("mutation")) await relay.executeMutation({ operation: asked }).toPromise();
    else await relay.execute({ operation: asked }).toPromise();
    return relay.lookup(asked.fragment).data;
  },
  cached(document, variables) {
    const asked = operation(document, variables);
    return relay.check(asked).status === "available" ? relay.lookup(asked.fragment).data : null;
  },
});
