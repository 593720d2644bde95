/** PURE: an upstream call as a command to paste, with placeholders for credentials. */
import type { UpstreamCall } from "./types";

/** By how paths begin: where the upstream's APIs are. */
const HOSTS: [string, string][] = [
  ["/2010-04-01/", "https://api.twilio.com"],
  ["/Numbers/", "https://preview.twilio.com"],
  ["/v1/PhoneNumbers/", "https://pricing.twilio.com"],
  ["/v2/RegulatoryCompliance/", "https://numbers.twilio.com"],
];

/** Whoever pastes it sets both, or writes them in their place. */
export const CREDENTIALS = '-u "$TWILIO_ACCOUNT_SID:$TWILIO_AUTH_TOKEN"';

/** `sandbox` is where it is, when it stands for the upstream. */
export function curlOf(call: UpstreamCall, sandbox: string | null): string {
  const { method, path } = call;
  const host = sandbox ?? HOSTS.find(([start]) => path.startsWith(start))?.[1] ?? "https://api.twilio.com";
  const parameters = parametersOf(call).map(
    ([name, value]) => `--data-urlencode ${quoted(`${name}=${value}`)}`,
  );
  const how = method === "GET" ? (parameters.length > 0 ? ["-G"] : []) : [`-X ${method}`];
  const lines = [
    `curl ${[...how, quoted(host.replace(/\/$/, "") + path)].join(" ")}`,
    CREDENTIALS,
    ...parameters,
  ];
  return lines.join(" \\\n  ");
}

/** Those of a read are written for people, `Name=value&…`, as they are; those of a write one by one. */
export function parametersOf({ query, parameters = [] }: UpstreamCall): [string, string][] {
  const sent = parameters.map(({ name, value }): [string, string] => [name, value]);
  if (!query) return sent;
  const asked = query
    .replace(/^\?/, "")
    .split(/&(?=[A-Za-z][\w.<>-]*=)/)
    .map((each): [string, string] => {
      const at = each.indexOf("=");
      return at < 0 ? [each, ""] : [each.slice(0, at), each.slice(at + 1)];
    });
  return [...asked, ...sent];
}

/** For a shell: all but a quote mark stands for itself between two of them. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
