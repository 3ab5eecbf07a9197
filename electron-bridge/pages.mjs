// Makes the bridge's own pages: from each body below src/renderer, one page for each language, in one
// template, with the texts of the catalogues that backend/deskbus/languages has.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LANGUAGES = fileURLToPath(new URL('../backend/deskbus/languages', import.meta.url));
const RENDERER = fileURLToPath(new URL('src/renderer', import.meta.url));
const TEMPLATE = join(RENDERER, 'page.html');
/** In the template; a page that is served has its policy in the response's head. */
const POLICY = /\s*<meta\s+http-equiv="Content-Security-Policy"[^>]*>/;
const PLACE = /\{\{([\w.-]+)\}\}/g;

/** The texts of a page are those whose keys begin with `page.` and its name, and the units. */
const UNITS = 'page.unit.';

async function catalogues() {
  const names = (await readdir(LANGUAGES)).filter((name) => name.endsWith('.json'));
  const files = names.map((name) => readFile(join(LANGUAGES, name), 'utf8'));
  return (await Promise.all(files)).map((file) => JSON.parse(file));
}

function escaped(text) {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
}

/** The catalogue without the texts of other places, as JSON that can stand within a page. */
function textsOf(name, { messages, language, direction, dates, numbers }) {
  const own = Object.entries(messages).filter(
    ([key]) => key.startsWith(`page.${name}.`) || key.startsWith(UNITS),
  );
  const texts = { language, direction, dates, numbers, messages: Object.fromEntries(own) };
  return JSON.stringify(texts).replace(/</g, '\\u003c');
}

function pageOf(template, name, body, catalogue) {
  const { language, direction, messages } = catalogue;
  const values = { language, direction };
  const filled = (html) =>
    html.replace(PLACE, (place, key) => {
      if (place === '{{texts}}') return place;
      const value = values[key] ?? messages[key];
      if (value === undefined) throw new Error(`${name}.html: there is no text ${key}.`);
      return escaped(value);
    });
  const whole = template.replace(/NAME/g, name).replace('BODY', () => body.trim());
  return filled(whole).replace('{{texts}}', () => textsOf(name, catalogue));
}

/** Writes `renderer/<language>/<page>.html` for each of `names`, and `languages/<language>.json` below `dist`. */
export async function makePages(dist, names) {
  const template = await readFile(TEMPLATE, 'utf8');
  await mkdir(join(dist, 'languages'), { recursive: true });
  for (const catalogue of await catalogues()) {
    const { language } = catalogue;
    await mkdir(join(dist, 'renderer', language), { recursive: true });
    await writeFile(join(dist, 'languages', `${language}.json`), JSON.stringify(catalogue));
    for (const name of names) {
      await writePage(join(dist, 'renderer', language), template, name, catalogue);
    }
  }
}

/** Browsers ask for an icon where a page names none. */
const NO_ICON = '\n    <link rel="icon" href="data:," />';

/** Writes `<language>/<name>.html` below `folder`, for a server that sets the policy itself. */
export async function makeServedPages(folder, name) {
  const template = (await readFile(TEMPLATE, 'utf8')).replace(POLICY, NO_ICON);
  for (const catalogue of await catalogues()) {
    await mkdir(join(folder, catalogue.language), { recursive: true });
    await writePage(join(folder, catalogue.language), template, name, catalogue);
  }
}

async function writePage(folder, template, name, catalogue) {
  const body = await readFile(join(RENDERER, name, `${name}.html`), 'utf8');
  await writeFile(join(folder, `${name}.html`), pageOf(template, name, body, catalogue));
}
