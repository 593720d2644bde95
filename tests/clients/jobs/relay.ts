import { commitMutation, fetchQuery, requestSubscription } from "relay-runtime";
import type { GraphQLTaggedNode, MutationParameters, OperationType } from "relay-runtime";
import { createRelayEnvironment } from "../build/app/src/relay/environment.js";
// An app's bundler puts these in place of the `graphql` tags (babel-plugin-relay and the like).
import BUY, { type documentsBuyMutation } from "../build/app/src/relay/__generated__/documentsBuyMutation.graphql.js";
import CHANGES, { type documentsChangesSubscription } from "../build/app/src/relay/__generated__/documentsChangesSubscription.graphql.js";
import CONFIGURE, { type documentsConfigureMutation } from "../build/app/src/relay/__generated__/documentsConfigureMutation.graphql.js";
import NUMBERS, { type documentsNumbersQuery } from "../build/app/src/relay/__generated__/documentsNumbersQuery.graphql.js";
import RELEASE, { type documentsReleaseMutation } from "../build/app/src/relay/__generated__/documentsReleaseMutation.graphql.js";
import SEARCH, { type documentsSearchQuery } from "../build/app/src/relay/__generated__/documentsSearchQuery.graphql.js";
import { environment, nothingRefused, present, run } from "./job.js";

const { url, authorization } = environment();
const relay = createRelayEnvironment(url, authorization);

async function query<Q extends OperationType>(document: GraphQLTaggedNode, variables: Q["variables"]): Promise<Q["response"]> {
  return present(await fetchQuery<Q>(relay, document, variables).toPromise());
}

function mutate<M extends MutationParameters>(mutation: GraphQLTaggedNode, variables: M["variables"]): Promise<M["response"]> {
  return new Promise((resolve, reject) => {
    commitMutation<M>(relay, { mutation, variables, onCompleted: resolve, onError: reject });
  });
}

await run({
  async search() {
    const { availablePhoneNumbers } = await query<documentsSearchQuery>(SEARCH, { country: "US" });
    return present(availablePhoneNumbers?.nodes[0]).phoneNumber;
  },
  async buy(phoneNumber) {
    const { purchasePhoneNumber } = await mutate<documentsBuyMutation>(BUY, { input: { phoneNumber } });
    nothingRefused(purchasePhoneNumber.userErrors);
    return present(purchasePhoneNumber.phoneNumber);
  },
  async configure(sid, friendlyName) {
    const input = { sid, configuration: { friendlyName } };
    const { configurePhoneNumber } = await mutate<documentsConfigureMutation>(CONFIGURE, { input });
    nothingRefused(configurePhoneNumber.userErrors);
    return present(configurePhoneNumber.phoneNumber?.friendlyName);
  },
  async page(first, after) {
    const { phoneNumbers } = await query<documentsNumbersQuery>(NUMBERS, { first, after });
    const { edges, pageInfo: { hasNextPage, endCursor } } = present(phoneNumbers);
    return { sids: edges.map((edge) => edge.node.sid), next: hasNextPage ? present(endCursor) : null };
  },
  follow(onChange) {
    const { dispose } = requestSubscription<documentsChangesSubscription>(relay, {
      subscription: CHANGES,
      variables: {},
      onNext: (response) => onChange(present(response).phoneNumberChanged),
      onError: (error) => { throw error; },
    });
    return dispose;
  },
  async release({ sid, phoneNumber }) {
    const input = { sid, confirmPhoneNumber: phoneNumber };
    const { releasePhoneNumber } = await mutate<documentsReleaseMutation>(RELEASE, { input });
    nothingRefused(releasePhoneNumber.userErrors);
    return present(releasePhoneNumber.releasedId);
  },
});
