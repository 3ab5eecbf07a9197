// The choices of a choice dialog, as a list to search in. Everything in it is set as text, never as
// markup.
import type { Choice, ChoiceDialog } from '../../generated/protocol';

/** Below so many a person sees all of them at a glance. */
const SEARCHED_FROM = 6;

export interface ChoiceElements {
  search: HTMLInputElement;
  list: HTMLElement;
  nothing: HTMLElement;
  /** The mark of a choice that runs already. */
  running: string;
  /** A checkbox within its label, whose words stand beside it. */
  remember: HTMLInputElement;
  rememberWords: HTMLElement;
}

export class ChoiceList {
  constructor(
    private readonly elements: ChoiceElements,
    private readonly dialog: ChoiceDialog,
    private readonly answer: (id: string | null, remember: boolean) => void,
  ) {
    const { search, remember, rememberWords } = elements;
    remember.checked = false;
    rememberWords.textContent = dialog.rememberLabel ?? '';
    (remember.closest('label') ?? remember).hidden = dialog.rememberLabel === undefined;
    search.value = '';
    search.hidden = dialog.choices.length < SEARCHED_FROM;
    search.oninput = () => this.draw();
    this.draw();
  }

  focus(): void {
    const { search } = this.elements;
    const marked = this.rows().find((each) => each.getAttribute('aria-selected') === 'true');
    (marked ?? (search.hidden ? this.rows()[0] : search))?.focus();
  }

  /** Arrows lead through the rows, from the search field too; Enter there takes the first. */
  readonly onKey = (event: KeyboardEvent): void => {
    const { search } = this.elements;
    const all = this.rows();
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (event.key === 'Escape') this.choose(null);
    else if (event.key === 'ArrowDown') all[Math.min(at + 1, all.length - 1)]?.focus();
    else if (event.key === 'ArrowUp' && at >= 0) (all[at - 1] ?? search).focus();
    else if (event.key === 'Enter' && document.activeElement === search) all[0]?.click();
    else return;
    event.preventDefault();
  };

  private choose(id: string | null): void {
    this.answer(id, id !== null && this.elements.remember.checked);
  }

  private draw(): void {
    const { search, list, nothing } = this.elements;
    const { choices, chosen } = this.dialog;
    const wanted = search.value.trim().toLowerCase();
    const fitting = choices.filter(({ label, detail = '', group = '' }) =>
      `${label} ${detail} ${group}`.toLowerCase().includes(wanted),
    );
    list.textContent = '';
    let heading = '';
    for (const each of fitting) {
      if (each.group && each.group !== heading) list.append(element('h2', each.group));
      heading = each.group ?? '';
      list.append(this.row(each, each.id === chosen));
    }
    nothing.hidden = fitting.length > 0;
  }

  private row(
    { id, label, detail, running, colour, icon }: Choice,
    isChosen: boolean,
  ): HTMLElement {
    const button = element('button', '', 'choice') as HTMLButtonElement;
    button.type = 'button';
    button.dataset['id'] = id;
    button.setAttribute('role', 'option');
    button.setAttribute('aria-selected', String(isChosen));
    const words = document.createElement('span');
    words.append(element('div', label, 'label'));
    if (detail) words.append(element('div', detail, 'detail'));
    button.append(avatar(label, { colour, icon }), words);
    if (running) button.append(element('span', this.elements.running, 'mark'));
    button.addEventListener('click', () => this.choose(id));
    return button;
  }

  private rows(): HTMLElement[] {
    return [...this.elements.list.querySelectorAll<HTMLElement>('.choice')];
  }
}

export function element(name: string, text: string, className?: string): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  if (className !== undefined) made.className = className;
  return made;
}

export interface Looks {
  colour?: string | undefined;
  /** A `data:` URL: nothing is loaded from elsewhere. */
  icon?: string | undefined;
}

/** An icon, a colour, or else the label's first letter. */
export function avatar(label: string, { colour, icon }: Looks = {}): HTMLElement {
  if (icon !== undefined) {
    const image = element('img', '', 'avatar') as HTMLImageElement;
    image.alt = '';
    image.addEventListener('error', () => image.replaceWith(avatar(label, { colour })));
    image.src = icon;
    return image;
  }
  const [letter = '?'] = Array.from(label.trim());
  const made = element('span', colour === undefined ? letter.toUpperCase() : '', 'avatar');
  made.setAttribute('aria-hidden', 'true');
  if (colour !== undefined) made.style.backgroundColor = colour;
  return made;
}
