/** A module of its own: a bundler gives the parts of a CommonJS library no names where it is imported when needed. */
export { parse } from "yaml";
