import { assertNever } from "../../base/index.ts";
import { version } from "../../config/index.ts";
import type { Call } from "../command.ts";
import { type Block, manual } from "../manual.ts";
import { commands } from "./index.ts";

/** `crio markdown`: the manual page as Markdown. */
export async function printMarkdown({ terminal }: Call): Promise<void> {
  terminal.out(`<!--- Written by "crio markdown"; do not edit. --->\n% crio 8\n\n${markdownOf(manual(commands))}\n`);
}

/** `crio man`: the manual page for man(1). */
export async function printMan({ terminal }: Call): Promise<void> {
  terminal.out(
    `.TH "CRIO" "8" "" "crio-ts ${version}" "System Manager's Manual"\n.ad l\n${roffOf(manual(commands))}\n`,
  );
}

/** Pieces of the manual as Markdown. */
export function markdownOf(blocks: readonly Block[]): string {
  return blocks.map(markdownBlock).join("\n\n");
}

/** Pieces of the manual as input of troff's man macros. */
export function roffOf(blocks: readonly Block[]): string {
  return blocks.map(roffBlock).join("\n");
}

function markdownBlock(block: Block): string {
  switch (block.is) {
    case "heading":
      return `${"#".repeat(block.level)} ${block.text}`;
    case "text":
      return block.text;
    case "code":
      return ["```", ...block.lines, "```"].join("\n");
    case "term":
      return `**${block.term}**${block.after}: ${block.text.replace(/[*_<>]/g, "\\$&")}`;
    default:
      return assertNever(block);
  }
}

function roffBlock(block: Block): string {
  switch (block.is) {
    case "heading":
      return block.level === 1 ? `.SH ${roffText(block.text)}` : `.SS ${roffText(block.text)}`;
    case "text":
      return `.PP\n${roffText(block.text.replaceAll("**", ""))}`;
    case "code":
      return [".PP", ".EX", ...block.lines.map(roffText), ".EE"].join("\n");
    case "term":
      return `.TP\n\\fB${roffText(block.term)}\\fR${roffText(block.after)}\n${roffText(block.text)}`;
    default:
      return assertNever(block);
  }
}

/** Backslashes and dashes are escaped, and a dot or quote at the beginning of a line is no macro. */
function roffText(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^(?=[.'])/gm, "\\&");
}
