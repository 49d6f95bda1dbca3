/**
 * The menu of actions behind `./just`: looks up the recipe, installs the Debian packages it needs, runs it.
 * @module
 */
import { menuText, RECIPES } from "./recipes.ts";
import { ensurePackages } from "./system-packages.ts";

const [name, ...rest] = process.argv.slice(2);
process.chdir(new URL("..", import.meta.url).pathname);
process.exitCode = main(name, rest);

function main(recipeName: string | undefined, words: readonly string[]): number {
  if (recipeName === undefined || recipeName === "--list" || recipeName === "help" || recipeName === "--help") {
    console.log(menuText());
    return 0;
  }
  const recipe = RECIPES.find((entry) => entry.name === recipeName);
  if (recipe === undefined) {
    console.error(`just: there is no recipe "${recipeName}"\n\n${menuText()}`);
    return 2;
  }
  if (!ensurePackages(recipe.packages)) return 1;
  return recipe.run(words);
}
