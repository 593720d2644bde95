// Holds the schema to graphql-eslint's rules for schemas, recommended and Relay's; prints what it breaks as JSON.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import plugin from "@graphql-eslint/eslint-plugin";
import { Linter } from "eslint";

const schema = fileURLToPath(new URL("../../schema/schema.graphql", import.meta.url));
const name = (rule) => `@graphql-eslint/${rule}`;

// Types without an `id`, and why.
const withoutId = [
  // It has an id once it is bought; until then its `phoneNumber` is its key.
  "AvailablePhoneNumber",
  // Parts of a number, of a country or of a price: values, which caches embed.
  ...["Capabilities", "VoiceCapabilities", "SmsCapabilities", "MmsCapabilities"],
  ...["Configuration", "VoiceConfiguration", "SmsConfiguration", "MmsConfiguration", "Regulatory"],
  ...["Geography", "Money", "NumberPrice"],
  // What the law asks for, which the upstream shows without ids.
  ...["Requirements", "RequiredField", "RequiredDocument", "AcceptedDocument", "PurchaseRequirement"],
  // Where a number matched what was asked for.
  "PatternMatch",
  // What is left to the caller, now.
  ...["RateLimit", "Allowance"],
  // What a dry run would send.
  ...["UpstreamRequest", "RequestParameter"],
];

const rules = {
  ...plugin.configs["flat/schema-recommended"].rules,
  ...plugin.configs["flat/schema-relay"].rules,
  // Lists that a country, an order or a number bounds (codecs, countries, results of a mutation) are plain lists: a
  // page of them would only be one more level. What can grow is a connection.
  [name("relay-edge-types")]: ["error", { listTypeCanWrapOnlyEdgeType: false }],
  [name("strict-id-in-types")]: [
    "error",
    {
      exceptions: {
        // They say what came of a request, and are nothing that lasts: caches embed them.
        suffixes: ["Connection", "Edge", "Payload", "UserError", "BranchError", "PageInfo"],
        types: withoutId,
      },
    },
  ],
};

// What a rule without options for it finds, and why it stays.
const exceptions = [
  {
    rule: "require-description",
    message: /^Description is required for directive "oneOf"\.?$/,
    why: "It is the specification's own, and described there.",
  },
  {
    rule: "no-typename-prefix",
    message: /^Field "phoneNumber" starts with the name of the parent type "PhoneNumber"\.?$/,
    why: "It is what everybody calls it; `PhoneNumber.number` would be taken for something else.",
  },
  {
    rule: "relay-arguments",
    message: /^Field `(availablePhoneNumbers|similarAvailable)` must contain an argument `(last|before)`/,
    why: "The upstream's searches have a beginning, and no end to count from.",
  },
  {
    rule: "relay-edge-types",
    message: /^Edge type's field `node` must implement `Node` interface\.?$/,
    line: /^type AvailablePhoneNumberEdge /,
    why: "A number that is for sale has no id, and nothing could read it again by one.",
  },
];

const text = await readFile(schema, "utf8");
const lines = text.split("\n");
const found = new Linter().verify(
  text,
  {
    files: ["**/*.graphql"],
    languageOptions: { parser: plugin.parser, parserOptions: { graphQLConfig: { schema } } },
    plugins: { "@graphql-eslint": plugin },
    rules,
  },
  "schema.graphql",
);
const applies = (each, { ruleId, message, line }) =>
  ruleId === name(each.rule) && each.message.test(message) && (each.line?.test(lines[line - 1]) ?? true);
const broken = found.filter((problem) => !exceptions.some((each) => applies(each, problem)));
const idle = exceptions.filter((each) => !found.some((problem) => applies(each, problem)));
const unneeded = withoutId.filter((type) => {
  const fields = text.match(new RegExp(`^type ${type}\\b[^{]*{([^}]*)}`, "m"))?.[1];
  return fields === undefined || /^  id: ID!/m.test(fields);
});
process.stdout.write(
  JSON.stringify({
    rules: Object.keys(rules).length,
    broken: broken.map(({ ruleId, message, line }) => `${line}: ${message} (${ruleId})`),
    idle: [...idle.map(({ rule }) => rule), ...unneeded],
  }),
);
