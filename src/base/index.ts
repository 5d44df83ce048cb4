export { type Clock, goZeroTime, nsFromRfc3339, rfc3339FromNs, systemClock } from "./clock.ts";
export { assertNever, codeOf, errnoOf, Fault, type FaultCode, isFault, reasonOf, withStep } from "./fault.ts";
export { Flight } from "./flight.ts";
export { parseGoRegExp } from "./go-regexp.ts";
export { newId, shortId } from "./ids.ts";
export { KeyedLock } from "./keyed-lock.ts";
export { localTimestamp } from "./local-timestamp.ts";
export { createLogger, isLogged, type LogFields, type Logger, type LogLevel, silentLogger } from "./logger.ts";
export { Places } from "./places.ts";
export { deadline, untilAborted } from "./signal.ts";
export {
  asPartOf,
  beginStep,
  currentStep,
  type Holder,
  inStep,
  type Next,
  Operation,
  type OperationOptions,
  Operations,
  randomHex,
  Step,
  type StepOptions,
  type TraceParent,
  type WaitsFor,
  within,
} from "./steps.ts";
export { Undo } from "./undo.ts";
