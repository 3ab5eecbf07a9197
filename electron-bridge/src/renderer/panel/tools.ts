import type { PanelContent, PanelFilter, PanelQuery } from '../../generated/protocol';
import { text } from '../language';
import { byId, fill, isTyping, make } from './element';

const TYPING_MS = 150;

/** The search box, the filters and the switch for new rows; tells what the person looks for. */
export class Tools {
  private readonly search = byId('search') as HTMLInputElement;
  private readonly filters = byId('filters');
  private readonly live = byId('live') as HTMLInputElement;
  private readonly more = byId('more') as HTMLButtonElement;
  private cursor = '';
  private drawn = '';
  private timer: number | undefined;

  constructor(private readonly onQuery: (query: PanelQuery) => void) {
    this.search.addEventListener('input', () => this.soon());
    this.live.addEventListener('change', () => this.ask(''));
    this.more.addEventListener('click', () => this.unfold());
    this.filters.addEventListener('change', () => this.ask(''));
    this.filters.addEventListener('input', (event) => {
      if (event.target instanceof HTMLInputElement) this.soon();
    });
  }

  draw({ search, filters = [], live }: PanelContent): void {
    byId('tools').hidden = search === undefined && filters.length === 0 && live === undefined;
    byId('search-box').hidden = search === undefined;
    this.search.placeholder = search?.placeholder ?? text('page.panel.search');
    this.put(this.search, search?.value ?? '');
    byId('live-label').hidden = live === undefined;
    this.live.checked = live === true;
    this.drawFilters(filters);
  }

  focusSearch(): void {
    this.search.focus();
    this.search.select();
  }

  /** Empties the search box if the focus is in it; tells whether it did. */
  clear(): boolean {
    if (document.activeElement !== this.search || this.search.value === '') return false;
    this.search.value = '';
    this.ask('');
    return true;
  }

  /** Turns to another page. */
  ask(cursor: string): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.cursor = cursor;
    this.onQuery(this.query());
  }

  query(): PanelQuery {
    const filters: Record<string, string> = {};
    for (const field of this.fields()) if (field.value !== '') filters[field.name] = field.value;
    return {
      search: this.search.value,
      filters,
      cursor: this.cursor,
      live: this.live.checked,
    };
  }

  /** Filters are folded away where the window is small. */
  private unfold(): void {
    const isOpen = byId('tools').classList.toggle('open');
    this.more.setAttribute('aria-expanded', String(isOpen));
  }

  private soon(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.ask(''), TYPING_MS);
  }

  private drawFilters(filters: PanelFilter[]): void {
    const shape = JSON.stringify(filters.map(({ id, label, options }) => [id, label, options]));
    if (shape !== this.drawn) {
      this.drawn = shape;
      fill(this.filters, ...filters.map(filterOf));
    }
    for (const field of this.fields()) {
      this.put(field, filters.find(({ id }) => id === field.name)?.value ?? '');
    }
    const used = this.fields().filter(({ value }) => value !== '').length;
    this.more.hidden = filters.length === 0;
    this.more.textContent =
      used === 0 ? text('page.panel.filters') : text('page.panel.filters-used', { used });
    this.more.classList.toggle('set', used > 0);
  }

  private fields(): (HTMLInputElement | HTMLSelectElement)[] {
    return [...this.filters.querySelectorAll<HTMLInputElement>('input, select')];
  }

  /** A person's typing counts more than what comes back. */
  private put(field: HTMLInputElement | HTMLSelectElement, value: string): void {
    const busy = this.timer !== undefined || document.activeElement === field;
    if (!busy || (field.value === '' && value !== '' && !isTyping(document.activeElement))) {
      field.value = value;
    }
    field.classList.toggle('set', field.value !== '');
  }
}

function filterOf({ id, label, options = [] }: PanelFilter): HTMLElement {
  const box = make('label', 'filter');
  box.append(make('span', 'unseen', label));
  if (options.length === 0) {
    const field = make('input');
    field.type = 'text';
    field.name = id;
    field.placeholder = label;
    field.maxLength = 200;
    field.autocomplete = 'off';
    box.append(field);
    return box;
  }
  const field = make('select');
  field.name = id;
  for (const option of [{ value: '', label }, ...options]) {
    const choice = make('option', '', option.label);
    choice.value = option.value;
    field.append(choice);
  }
  box.append(field);
  return box;
}
