/** Writes docs/options.md from the option table and the list of commands. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { commands } from "../src/cli/commands/index.ts";
import { optionsPage } from "../src/cli/options-page.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
writeFileSync(join(root, "docs/options.md"), optionsPage(commands));
