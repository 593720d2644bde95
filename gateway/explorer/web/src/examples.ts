import type { JsonObject } from "./json";
import type { LiveValues } from "./live";

/** A job that the API is for, as an operation that runs as it stands. */
export interface Example {
  /** The operation's name: GraphiQL shows it on the tab. */
  name: string;
  job: string;
  about: string;
  query: string;
  /** Variables to start with: good ones, or the right shape to be filled in. */
  sample?: JsonObject;
  /** What its variables are about: a number for sale, which is filled in, or an owned one, which is chosen. */
  needs?: "for sale" | "owned";
  /** What to say when the account holds nothing that fits; null when it does. */
  lacking?(live: LiveValues): string | null;
  /** Variables from what there is right now; null when there is nothing that fits. */
  variables?(live: LiveValues): JsonObject | null;
}

const SID = "PN00000000000000000000000000000000";
const ACCOUNT = "AC00000000000000000000000000000000";

const operations: Example[] = [
  {
    name: "SearchNearPlace",
    job: "Search near a place",
    about: "Numbers within 60 miles of San Francisco. Look at them on the map.",
    query: `query SearchNearPlace {
  availablePhoneNumbers(
    country: US
    first: 30
    filter: {
      near: { point: { latitude: 37.7749, longitude: -122.4194 } }
      withinMiles: 60
      capabilities: { sms: { enabled: true } }
    }
  ) {
    exhaustive
    nodes {
      phoneNumber
      type
      geography { locality region rateCenter latitude longitude }
      capabilities { voice { enabled } sms { enabled } mms { enabled } }
    }
    pageInfo { hasNextPage endCursor }
  }
}`,
  },
  {
    name: "VanityPattern",
    job: "Find a vanity number",
    about: "A pattern of digits, letters and wildcards; here in several states at once.",
    query: `# * stands for one digit, letters are those of a phone's keypad
query VanityPattern($pattern: String!) {
  availablePhoneNumbers(country: US, first: 30, filter: { contains: $pattern }) {
    nodes {
      phoneNumber
      friendlyName
      geography { locality region latitude longitude }
    }
    pageInfo { hasNextPage endCursor }
  }
}`,
    sample: { pattern: "*7*7" },
  },
  {
    name: "BuyNumber",
    job: "Buy",
    about: "Buys one number, by exactly one upstream write. In the sandbox it costs nothing.",
    query: `mutation BuyNumber($number: E164!) {
  purchasePhoneNumber(
    input: {
      phoneNumber: $number
      configuration: { friendlyName: "Bought in the explorer" }
    }
  ) {
    phoneNumber { sid phoneNumber accountSid friendlyName }
    userErrors { field code message }
  }
}`,
    needs: "for sale",
    variables: (live) => (live.available ? { number: live.available } : null),
    lacking: (live) => (live.available ? null : "There is no number to buy"),
    sample: { number: "+15550000000" },
  },
  {
    name: "PointAtWebhook",
    job: "Point at a webhook",
    about: "Sends calls and messages of a number to your server. Fields left out stay as they are.",
    query: `mutation PointAtWebhook($sid: ID!) {
  configurePhoneNumber(
    input: {
      sid: $sid
      configuration: {
        voice: { url: "https://example.com/voice", method: POST }
        sms: { url: "https://example.com/sms", method: POST }
      }
    }
  ) {
    phoneNumber {
      phoneNumber
      configuration { voice { handler url method } sms { handler url method } }
    }
    userErrors { field code message }
  }
}`,
    needs: "owned",
    variables: ({ chosen }) => chosen && { sid: chosen.sid },
    lacking: (live) => (live.owned.length > 0 ? null : "This account has no number to configure"),
    sample: { sid: SID },
  },
  {
    name: "ListAndFilter",
    job: "List and filter",
    about: "The numbers you own, and for each what else is to be had in its state.",
    query: `# One list call, then one search per distinct state: see the Upstream panel
query ListAndFilter {
  phoneNumbers(first: 20, filter: { type: LOCAL }) {
    nodes {
      sid
      phoneNumber
      friendlyName
      geography { locality region latitude longitude }
      configuration { voice { handler url } sms { handler url } }
      similarAvailable(within: REGION, first: 3) {
        nodes { phoneNumber }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}`,
  },
  {
    name: "TransferNumber",
    job: "Transfer",
    about: "Moves a number to a subaccount, acting as the parent.",
    query: `mutation TransferNumber($sid: ID!, $to: ID!) {
  transferPhoneNumber(input: { sid: $sid, toAccountSid: $to }) {
    phoneNumber { sid phoneNumber accountSid }
    userErrors { field code message }
  }
}`,
    needs: "owned",
    variables: ({ chosen, otherAccount }) => chosen && { sid: chosen.sid, to: otherAccount ?? ACCOUNT },
    lacking: (live) => {
      if (live.owned.length === 0) return "This account has no number to transfer";
      return live.otherAccount ? null : "This account has none beside it to transfer to";
    },
    sample: { sid: SID, to: ACCOUNT },
  },
  {
    name: "ReleaseNumber",
    job: "Release",
    about:
      "Gives a number back. Only Twilio's console can undo it, within ten days, so it asks for the number itself, too.",
    query: `mutation ReleaseNumber($sid: ID!, $number: E164!) {
  releasePhoneNumber(input: { sid: $sid, confirmPhoneNumber: $number }) {
    releasedId
    releasedNumber
    userErrors { field code message }
  }
}`,
    needs: "owned",
    variables: ({ chosen }) => chosen && { sid: chosen.sid, number: chosen.phoneNumber },
    lacking: (live) => (live.owned.length > 0 ? null : "This account has no number to release"),
    sample: { sid: SID, number: "+15550000000" },
  },
  {
    name: "WatchChanges",
    job: "Subscribe",
    about: "Every change of your numbers as it happens, over server-sent events or a WebSocket.",
    query: `subscription WatchChanges {
  phoneNumberChanged {
    id
    kind
    at
    numberId
    number
    phoneNumber { friendlyName configuration { voice { url } } }
  }
}`,
  },
  {
    name: "PersistedQuery",
    job: "Persisted query",
    about: "Sent as its SHA-256 hash alone once the gateway knows it, as mobile apps do.",
    query: `# @persisted  (this line makes the explorer send the hash in place of the text)
query PersistedQuery {
  countries { code name types }
}`,
  },
];

export const EXAMPLES: readonly Example[] = operations;

/** The example that a tab's text still is, whatever its variables. */
export function exampleOf(query: string | null | undefined): Example | undefined {
  return EXAMPLES.find((example) => example.query === query);
}

/** Text for the variables editor. */
export function variablesText(values: JsonObject | null | undefined): string {
  return values ? JSON.stringify(values, null, 2) : "";
}
