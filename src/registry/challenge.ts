/** One challenge of a `WWW-Authenticate` header (RFC 9110, 11.6.1). */
export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  /** Names in lower case; the first of a name counts. */
  readonly params: ReadonlyMap<string, string>;
}

const maxHeaderLength = 16 * 1024;
const tokenGrammar = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const quotedGrammar = /"((?:[^"\\]|\\[\s\S])*)"/y;
const token68Grammar = /[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/y;
const equalsGrammar = /\s*=\s*/y;
const separatorGrammar = /[\s,]*/y;

/**
 * The challenges of a header, several headers joined by commas included. What follows a part that cannot be read is dropped:
 * what came before it is still good.
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const text = header.slice(0, maxHeaderLength);
  const challenges: { scheme: string; params: Map<string, string> }[] = [];
  let at = 0;
  const take = (grammar: RegExp): RegExpExecArray | null => {
    grammar.lastIndex = at;
    const match = grammar.exec(text);
    if (match !== null) at += match[0].length;
    return match;
  };
  for (;;) {
    take(separatorGrammar);
    const word = take(tokenGrammar)?.[0].toLowerCase();
    if (word === undefined) return challenges;
    const isParam = challenges.length > 0 && take(equalsGrammar) !== null;
    if (!isParam) {
      challenges.push({ scheme: word, params: new Map() });
      if (/\s/.test(text[at] ?? "")) skipToken68(take);
      continue;
    }
    const value = take(quotedGrammar)?.[1]?.replace(/\\([\s\S])/g, "$1") ?? take(tokenGrammar)?.[0];
    if (value === undefined) return challenges;
    const params = challenges.at(-1)?.params;
    if (params?.has(word) === false) params.set(word, value);
  }
}

/** `Negotiate YWJj==`: one value without a name. Whether a lone word is one or the next scheme, the comma decides. */
function skipToken68(take: (grammar: RegExp) => RegExpExecArray | null): void {
  take(/\s*/y);
  take(token68Grammar);
}
