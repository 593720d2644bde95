/**
 * How Monaco colours GraphQL and minds its brackets. Its own grammar takes every lower-case word that is
 * a keyword somewhere for one: here it depends on the place, so that fields may be called `type` or `input`.
 */
import type { languages } from "monaco-editor";

export const conf: languages.LanguageConfiguration = {
  comments: { lineComment: "#" },
  brackets: [
    ["{", "}"],
    ["[", "]"],
    ["(", ")"],
  ],
  autoClosingPairs: [
    { open: "{", close: "}" },
    { open: "[", close: "]" },
    { open: "(", close: ")" },
    { open: '"""', close: '"""', notIn: ["string", "comment"] },
    { open: '"', close: '"', notIn: ["string", "comment"] },
  ],
  surroundingPairs: [
    { open: "{", close: "}" },
    { open: "[", close: "]" },
    { open: "(", close: ")" },
    { open: '"', close: '"' },
  ],
  folding: { offSide: true },
};

export const language: languages.IMonarchLanguage = {
  defaultToken: "invalid",
  tokenPostfix: ".gql",
  definitions: ["query", "mutation", "subscription", "fragment", "on"],
  constants: ["true", "false", "null"],
  brackets: [
    { open: "{", close: "}", token: "delimiter.curly" },
    { open: "[", close: "]", token: "delimiter.square" },
    { open: "(", close: ")", token: "delimiter.parenthesis" },
  ],
  tokenizer: {
    // Between definitions.
    root: [
      { include: "@common" },
      [/\{/, { token: "@brackets", next: "@selection" }],
      [/\(/, { token: "@brackets", next: "@arguments" }],
      [/[_A-Za-z]\w*/, { cases: { "@definitions": "keyword", "@default": "type.identifier" } }],
    ],
    // A selection set: names are fields, but for the condition of a fragment.
    selection: [
      { include: "@common" },
      [/\{/, { token: "@brackets", next: "@push" }],
      [/\}/, { token: "@brackets", next: "@pop" }],
      [/\(/, { token: "@brackets", next: "@arguments" }],
      [/(\.\.\.)(\s*)(on)(\s+)([_A-Za-z]\w*)/, ["delimiter", "", "keyword", "", "type.identifier"]],
      [/(\.\.\.)(\s*)([_A-Za-z]\w*)/, ["delimiter", "", "type.identifier"]],
      [/\.\.\./, "delimiter"],
      [/[_A-Za-z]\w*/, "key.identifier"],
    ],
    // Arguments, the fields of input objects, and variables with their types.
    arguments: [
      { include: "@common" },
      [/[({]/, { token: "@brackets", next: "@push" }],
      [/[)}]/, { token: "@brackets", next: "@pop" }],
      [/[_A-Za-z]\w*(?=\s*:)/, "key.identifier"],
      [/[_A-Za-z]\w*/, { cases: { "@constants": "keyword", "@default": "type.identifier" } }],
    ],
    common: [
      [/[ \t\r\n]+/, ""],
      [/#.*$/, "comment"],
      [/"""/, { token: "string", next: "@block" }],
      [/"([^"\\]|\\.)*$/, "string.invalid"],
      [/"/, { token: "string.quote", next: "@string" }],
      [/\$\w*/, "argument.identifier"],
      [/@\w*/, "annotation"],
      [/-?\d+(\.\d+)?([eE][-+]?\d+)?/, "number"],
      [/[!:=|&,]/, "delimiter"],
      [/[[\]]/, "@brackets"],
    ],
    block: [
      [/\\"""/, "string"],
      [/"""/, { token: "string", next: "@pop" }],
      [/[^"\\]+|["\\]/, "string"],
    ],
    string: [
      [/[^\\"]+/, "string"],
      [/\\./, "string.escape"],
      [/"/, { token: "string.quote", next: "@pop" }],
    ],
  },
};
