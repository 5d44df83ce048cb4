/** What goes wrong with an answer. Counts are bytes of the body. */
export type Fault =
  /** Sends so many bytes and then nothing more, with the connection open. */
  | { readonly is: "stall"; readonly afterBytes: number }
  /** Sends so many bytes and then resets the connection. */
  | { readonly is: "reset"; readonly afterBytes: number }
  /** Announces the whole length, sends so many bytes, and closes the connection in order. */
  | { readonly is: "truncate"; readonly afterBytes: number }
  /** Changes the lowest bit of one byte. */
  | { readonly is: "flip"; readonly atByte: number }
  /** Sends more bytes than the descriptor says, zeros at the end. */
  | { readonly is: "extra"; readonly bytes: number }
  /** Announces another digest in Docker-Content-Digest. */
  | { readonly is: "digest-header"; readonly digest: string }
  /** Answers with this status instead. */
  | {
      readonly is: "status";
      readonly status: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Sends at this speed. */
  | { readonly is: "slow"; readonly bytesPerSecond: number }
  /** Serves this body instead, with the content type of the answer. */
  | { readonly is: "body"; readonly body: string; readonly contentType?: string };

/** Which requests a fault is for, and how often. */
export interface FaultRule {
  /** Regular expression over the path, for example `"/blobs/"`. */
  readonly path: string;
  /** Regular expression over the Host header. Default: any. */
  readonly host?: string;
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  /** Matching requests that pass before the fault sets in. Default 0. */
  readonly skip?: number;
  /** Matching requests that it then spoils. Default: all. */
  readonly times?: number;
  readonly fault: Fault;
}

/** The request as far as rules look at it. */
export interface RequestLine {
  readonly method: string;
  readonly host: string;
  readonly path: string;
}

/** The rules in force; each counts the requests that it has seen. */
export class FaultRules {
  #rules: readonly { readonly rule: FaultRule; seen: number }[] = [];

  /** Replaces all rules and their counts. */
  set(rules: readonly FaultRule[]): void {
    this.#rules = rules.map((rule) => ({ rule, seen: 0 }));
  }

  /** The fault of the first rule that is for this request now. Counts the request with every rule that it matches. */
  next(request: RequestLine): Fault | undefined {
    const due = this.#rules.filter((entry) => {
      if (!matches(entry.rule, request)) return false;
      const turn = entry.seen++ - (entry.rule.skip ?? 0);
      return turn >= 0 && turn < (entry.rule.times ?? Number.POSITIVE_INFINITY);
    });
    return due[0]?.rule.fault;
  }
}

function matches(rule: FaultRule, request: RequestLine): boolean {
  const method = rule.method === undefined || rule.method === request.method;
  const host = rule.host === undefined || new RegExp(rule.host).test(request.host);
  return method && host && new RegExp(rule.path).test(request.path);
}
