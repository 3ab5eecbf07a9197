// The page of a choice dialog. Everything in it is set as text, never as markup.
import type { Choice, ChoiceDialog } from '../../generated/protocol';
import type { ChoiceBridge } from '../../ipc/choice-channels';

declare const choice: ChoiceBridge;

/** Below so many a person sees all of them at a glance. */
const SEARCHED_FROM = 6;

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`There is no #${id} in the page.`);
  return found;
}

const search = byId('search') as HTMLInputElement;
const list = byId('choices');

function element(name: string, text: string, className?: string): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  if (className !== undefined) made.className = className;
  return made;
}

function row({ id, label, detail, running, colour }: Choice, isChosen: boolean): HTMLElement {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'choice';
  button.dataset['id'] = id;
  button.setAttribute('role', 'option');
  button.setAttribute('aria-selected', String(isChosen));
  const [letter = '?'] = Array.from(label.trim());
  const avatar = element('span', colour === undefined ? letter.toUpperCase() : '', 'avatar');
  avatar.setAttribute('aria-hidden', 'true');
  if (colour !== undefined) avatar.style.backgroundColor = colour;
  const words = document.createElement('span');
  words.append(element('div', label, 'label'));
  if (detail) words.append(element('div', detail, 'detail'));
  button.append(avatar, words);
  if (running) button.append(element('span', 'running', 'mark'));
  button.addEventListener('click', () => choice.choose(id));
  return button;
}

function draw({ choices, chosen }: ChoiceDialog): void {
  const wanted = search.value.trim().toLowerCase();
  const fitting = choices.filter(({ label, detail = '', group = '' }) =>
    `${label} ${detail} ${group}`.toLowerCase().includes(wanted),
  );
  list.textContent = '';
  let heading = '';
  for (const each of fitting) {
    if (each.group && each.group !== heading) list.append(element('h2', each.group));
    heading = each.group ?? '';
    list.append(row(each, each.id === chosen));
  }
  byId('nothing').hidden = fitting.length > 0;
}

function rows(): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>('.choice')];
}

/** Arrows lead through the rows, from the search field too; Enter there takes the first. */
function onKey(event: KeyboardEvent): void {
  const all = rows();
  const at = all.indexOf(document.activeElement as HTMLElement);
  if (event.key === 'Escape') choice.choose(null);
  else if (event.key === 'ArrowDown') all[Math.min(at + 1, all.length - 1)]?.focus();
  else if (event.key === 'ArrowUp' && at >= 0) (all[at - 1] ?? search).focus();
  else if (event.key === 'Enter' && document.activeElement === search) all[0]?.click();
  else return;
  event.preventDefault();
}

async function show(): Promise<void> {
  const descriptor = await choice.descriptor();
  byId('statement').textContent = descriptor.statement;
  byId('cancel').textContent = descriptor.cancelLabel ?? 'Cancel';
  byId('cancel').addEventListener('click', () => choice.choose(null));
  search.hidden = descriptor.choices.length < SEARCHED_FROM;
  search.addEventListener('input', () => draw(descriptor));
  document.addEventListener('keydown', onKey);
  draw(descriptor);
  choice.drawn(Math.ceil(byId('dialog').getBoundingClientRect().height));
  const marked = rows().find((each) => each.getAttribute('aria-selected') === 'true');
  (marked ?? (search.hidden ? rows()[0] : search))?.focus();
}

void show();
