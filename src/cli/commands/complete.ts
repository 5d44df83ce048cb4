import { Fault } from "../../base/index.ts";
import { builtInConfig } from "../../config/index.ts";
import type { Call } from "../command.ts";
import { type ShownFlag, shownGlobalFlags } from "../global-flags.ts";
import { printCommandHelp } from "./help.ts";
import { commands } from "./index.ts";

/** `crio complete [SHELL]`: a completion script on standard output. */
export async function printCompletion({ terminal, args }: Call): Promise<void> {
  const [shell = "bash", ...more] = args;
  if (more.length > 0)
    return printCommandHelp(
      terminal,
      commands.filter(({ name }) => name === "complete"),
    );
  const script = new Map([
    ["bash", bashScript],
    ["fish", fishScript],
    ["zsh", zshScript],
  ]).get(shell);
  if (script === undefined) throw new Fault("invalid", "only bash, fish or zsh are supported");
  terminal.out(script());
}

interface Word {
  readonly name: string;
  readonly summary: string;
}

function commandWords(): readonly Word[] {
  return commands
    .filter(({ hidden }) => hidden !== true)
    .flatMap(({ name, aliases, summary }) => [name, ...aliases].map((word) => ({ name: word, summary })));
}

function flags(): readonly ShownFlag[] {
  return shownGlobalFlags(builtInConfig());
}

function bashScript(): string {
  const words = [...commandWords().map(({ name }) => name), ...flags().map(({ flag }) => `--${flag}`)];
  return `_cli_bash_autocomplete() {
	local cur opts
	COMPREPLY=()
	cur="\${COMP_WORDS[COMP_CWORD]}"
	opts="${words.join("\n")}"
	COMPREPLY=($(compgen -W "\${opts}" -- "\${cur}"))
	return 0
}

complete -F _cli_bash_autocomplete crio
`;
}

function zshScript(): string {
  const entry = ({ name, summary }: Word) => `\t\t${zshQuoted(`${name.replaceAll(":", "\\:")}:${summary}`)}`;
  const options = flags().map(({ flag, doc }) => ({ name: `--${flag}`, summary: doc }));
  return `#compdef crio

_cli_zsh_autocomplete() {
	local -a cmds opts
	cmds=(
${commandWords().map(entry).join("\n")}
	)
	opts=(
${options.map(entry).join("\n")}
	)
	_describe 'commands' cmds
	_describe 'global options' opts
}

compdef _cli_zsh_autocomplete crio
`;
}

/** Single quotes, or double ones with everything special escaped when the text holds a single quote. */
function zshQuoted(text: string): string {
  return text.includes("'") ? `"${text.replace(/[\\$"`]/g, "\\$&")}"` : `'${text}'`;
}

function fishScript(): string {
  const none = "__fish_crio_no_subcommand";
  const names = commandWords().map(({ name }) => name);
  const commandLines = commandWords().map(
    ({ name, summary }) => `complete -c crio -n '${none}' -f -a '${name}' -d ${fishQuoted(summary)}`,
  );
  const flagLines = flags().map(({ flag, alias, isSwitch, doc }) => {
    const short = alias === undefined ? "" : ` ${alias.length === 1 ? "-s" : "-l"} ${alias}`;
    return `complete -c crio -n '${none}' -f -l ${flag}${short}${isSwitch ? "" : " -r"} -d ${fishQuoted(doc)}`;
  });
  return `# fish completion of crio

function ${none} --description 'whether no command has been given yet'
    for word in (commandline -opc)
        if contains -- $word ${names.join(" ")}
            return 1
        end
    end
    return 0
end

${[...commandLines, ...flagLines].join("\n")}
`;
}

function fishQuoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
