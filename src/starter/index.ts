/**
 * starter: the files with which a project of a sealed system begins: Containerfile, recipes, CI.
 *
 * System room: writes files into a directory that it is given, from templates that lie beside the program.
 * @module
 */
export { STARTER_BASES, type StarterBase, starterFiles, starterTemplates } from "./files.ts";
export { type StarterOptions, writeStarter } from "./write-starter.ts";
