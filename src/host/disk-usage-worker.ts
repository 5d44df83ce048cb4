/** The code of the disk usage worker thread: see `disk-usage.ts`. */
import { measureTree } from "./disk-walk.ts";
import { unshareFs } from "./syscalls.ts";
import { serveRequests } from "./worker-port.ts";

unshareFs(); // the walk changes its working directory, which is otherwise everybody's

serveRequests(({ path }: { readonly path: string }) => measureTree(path));
