/** The search of the site. The text of the pages (search-text.js) comes with the first search. */
import MiniSearch from "minisearch";

const RESULTS_MAX = 12;
/** Letters of a section's text shown around the first word that was found. */
const EXCERPT_LENGTH = 140;

const root = document.currentScript.dataset.root;
const field = document.querySelector("search input");
const list = document.getElementById("found");
/** @type {Promise<MiniSearch> | undefined} */
let index;

document.querySelector("search").hidden = false;

function loadIndex() {
  index ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${root}/assets/search-text.js`;
    script.onload = () => resolve(makeIndex(globalThis.sealrootSearchText));
    script.onerror = () => reject(new Error("Cannot search: the text of the pages cannot be loaded"));
    document.head.append(script);
  });
  return index;
}

function makeIndex(sections) {
  const made = new MiniSearch({
    fields: ["heading", "title", "text"],
    storeFields: ["heading", "title", "text"],
    searchOptions: {
      ...{ boost: { heading: 4, title: 2 }, prefix: true, combineWith: "AND" },
      // The list of changes has every word, but explains none.
      boostDocument: (id) => (id.startsWith("CHANGELOG") ? 0.1 : 1),
    },
  });
  made.addAll(sections);
  return made;
}

/** The text around the words as they were typed, else around the longest one that was found. */
function excerpt(text, words, terms) {
  const small = text.toLowerCase();
  const longestFirst = terms.toSorted((a, b) => b.length - a.length);
  const position = [words, ...longestFirst].map((term) => small.indexOf(term)).find((found) => found >= 0) ?? 0;
  const start = Math.max(0, position - EXCERPT_LENGTH / 3);
  return (start === 0 ? "" : "…") + text.slice(start, start + EXCERPT_LENGTH);
}

/** What has the words as they were typed comes before what has them here and there. */
function inOrder(results, words) {
  const hasWords = ({ heading, text }) => `${heading} ${text}`.toLowerCase().includes(words);
  return [...results.filter(hasWords), ...results.filter((result) => !hasWords(result))];
}

function entry({ id, heading, title, text, terms }, words) {
  const link = document.createElement("a");
  link.href = `${root}/${id}`;
  link.append(heading === title ? title : `${title}: ${heading}`);
  const shown = document.createElement("span");
  shown.append(excerpt(text, words, terms));
  link.append(shown);
  const item = document.createElement("li");
  item.append(link);
  return item;
}

async function search() {
  const words = field.value.trim().toLowerCase();
  const results = words === "" ? [] : (await loadIndex()).search(words);
  if (words !== field.value.trim().toLowerCase()) return; // typed on while the text came
  const items = inOrder(results, words)
    .slice(0, RESULTS_MAX)
    .map((result) => entry(result, words));
  if (words !== "" && items.length === 0) {
    const none = document.createElement("li");
    none.append("Nothing found");
    items.push(none);
  }
  list.replaceChildren(...items);
  list.hidden = words === "";
}

function close() {
  list.hidden = true;
}

field.addEventListener("input", search);
field.addEventListener("focus", loadIndex);
list.addEventListener("click", close); // a link may lead to this very page
document.addEventListener("click", ({ target }) => {
  if (!target.closest("search")) close();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== field) {
    event.preventDefault();
    field.focus();
  }
  if (list.hidden) return;
  const places = [field, ...list.querySelectorAll("a")];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") close();
  else if (event.key === "Enter" && document.activeElement === field) places[1]?.click();
  else if (step !== undefined) {
    event.preventDefault();
    const position = places.indexOf(document.activeElement) + step;
    places[Math.min(Math.max(position, 0), places.length - 1)].focus();
  }
});
