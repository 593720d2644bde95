/** `extensions.upstream` of an answer to a request with `X-Gateway-Explain: trace`. */
export interface UpstreamCall {
  method: string;
  path: string;
  /** Parameters as `Name=value&…`, for people. */
  query?: string;
  /** What a write sends, without passwords. */
  parameters?: { name: string; value: string }[];
  status: number | null;
  startMs: number;
  durationMs: number;
  /** `hedge` is a read that was sent a second time because the first took long. */
  outcome: "sent" | "hedge" | "coalesced" | "primed" | "cached";
  /** It was given up because the other of two equal reads had answered. */
  overtaken?: boolean;
  /** Equal reads that were spared are one entry. */
  count?: number;
  fields: string[];
  /** Of what was sent, counted from 1: more where the attempts before came to nothing. */
  attempt?: number;
}

export interface UpstreamTrace {
  calls: UpstreamCall[];
  /** Attempts, counted one by one. */
  sent: number;
  saved: number;
  /** Calls that resolvers without loaders would have made. */
  naive: number;
  totalMs: number;
}

export interface Range {
  min: number;
  max: number;
}

export interface PlanStep extends Range {
  field: string;
  call: string;
  strategy: string;
  reason: string;
  /** What the most rests on, where that is assumed or remembered. */
  bound?: string;
}

/** `extensions.plan` of an answer to a request with `X-Gateway-Explain: plan`. */
export interface Plan {
  calls: Range;
  naive: Range;
  /** Weight of the operation against the gateway's limit, where one is set. */
  cost?: number;
  steps: PlanStep[];
  /** What would be user errors of the run, known beforehand. */
  refusals?: { field: string; input: (string | number)[]; message: string; code: string }[];
}
