import { Fault } from "../base/index.ts";

/** The thread could not return to its own namespaces or its own user: it must do nothing more. */
export class Homeless extends Fault {}
