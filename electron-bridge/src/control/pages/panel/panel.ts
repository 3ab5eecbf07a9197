import type {
  PanelAction,
  PanelCell,
  PanelContent,
  PanelFilter,
  PanelRow,
} from '../../../generated/protocol';
import { Drawer } from '../../widgets/drawer';
import { add, fill, h, keyed, setAttribute, setText } from '../../dom';
import { words } from '../../errors';
import { time } from '../../format';
import { icon } from '../../icons';
import type { Context, Page, Question } from '../page';
import { PanelTabs, Parts } from './parts';
import { Poll } from '../../backend/poll';
import { language, text } from '../../../renderer/language';
import { facts } from '../../widgets/facts';

const LOOK_MS = 2000;
const TYPING_MS = 200;
const FITTED = '104px';
const BUTTONS = '116px';
const TRACE_ID = /^[0-9a-f]{32}$/;

type Line = { row: PanelRow } | { group: string };

/** Any panel, those of a shell's own too, as a page. */
export class PanelPage implements Page {
  readonly element = h('div', { class: 'page-frame panel-page' });
  private readonly subtitle = h('span', { class: 'quiet about' });
  private readonly verdict = h('div', { class: 'verdict', role: 'status', hidden: true });
  private readonly field = h('input', { type: 'search', autocomplete: 'off', spellcheck: 'false' });
  private readonly filters = h('div', { class: 'filters' });
  private readonly actions = h('div', { class: 'buttons' });
  private readonly tabs = new PanelTabs((id) => {
    this.tab = id;
    this.cursor = '';
    this.poll.now();
  });
  private readonly parts = new Parts();
  private readonly head = h('div', { class: 'panel-head', role: 'row' });
  private readonly rows = h('div', { role: 'rowgroup' });
  private readonly shown = new WeakMap<HTMLElement, Line>();
  private readonly table: HTMLElement;
  private readonly empty = h('p', { class: 'none', role: 'status' });
  private readonly summary = h('span', { class: 'quiet' });
  private readonly previous = h(
    'button',
    { type: 'button', class: 'small' },
    text('page.control.panel.previous'),
  );
  private readonly next = h(
    'button',
    { type: 'button', class: 'small' },
    text('page.control.panel.next'),
  );
  private readonly drawer = new Drawer(() => this.mark(''));
  private readonly poll = new Poll(LOOK_MS, () => this.look());
  private chosen: Record<string, string> = {};
  private content: PanelContent | undefined;
  private cursor = '';
  private tab = '';
  private opened = '';
  private timer: number | undefined;

  constructor(
    private readonly context: Context,
    private readonly name: string,
  ) {
    this.table = h(
      'div',
      { role: 'grid', class: 'panel-table', tabindex: '0', 'aria-label': name },
      this.head,
      this.rows,
    );
    this.field.addEventListener('input', () => this.soon());
    this.previous.addEventListener('click', () => this.turn(this.content?.previous));
    this.next.addEventListener('click', () => this.turn(this.content?.next));
    this.table.addEventListener('keydown', (event) => this.key(event));
    this.poll.start();
  }

  /** A filter and its value, such as `app:demo.chaos`. */
  show(what: string): void {
    const at = what.indexOf(':');
    if (at > 0) {
      this.chosen = { [what.slice(0, at)]: what.slice(at + 1) };
      this.field.value = '';
      this.cursor = '';
    }
    this.poll.now();
  }

  search(): void {
    if (this.field.hidden) this.table.focus();
    else this.field.focus();
  }

  escape(): boolean {
    return this.drawer.close();
  }

  close(): void {
    this.poll.stop();
    this.parts.close();
  }

  private query() {
    const filters = Object.fromEntries(
      Object.entries(this.chosen).filter(([, value]) => value !== ''),
    );
    return {
      search: this.field.value,
      filters,
      cursor: this.cursor,
      locale: language.code,
      ...(this.tab === '' ? {} : { tab: this.tab }),
    };
  }

  private async look(): Promise<void> {
    const asked = { name: this.name, query: this.query() };
    try {
      const content = await this.context.api.call('panels.describe', asked);
      this.frame();
      this.draw(content);
    } catch (error) {
      this.frame();
      this.empty.hidden = false;
      setText(this.empty, words(error));
    }
  }

  /** Makes the page once it is known what belongs on it, so that nothing is pushed aside later. */
  private frame(): void {
    if (this.element.childElementCount > 0) return;
    add(
      this.element,
      h(
        'div',
        { class: 'panel-tools' },
        h(
          'div',
          { class: 'page-bar flowing' },
          this.tabs.element,
          this.field,
          this.actions,
          this.filters,
          this.subtitle,
        ),
        this.verdict,
      ),
      h(
        'div',
        { class: 'page-split' },
        h(
          'div',
          { class: 'card view panel-view' },
          h('div', { class: 'panel-scroll' }, this.parts.element, this.table, this.empty),
          h(
            'footer',
            { class: 'panel-foot' },
            this.summary,
            h('span', { class: 'buttons' }, this.previous, this.next),
          ),
        ),
        this.drawer.element,
      ),
    );
  }

  private draw(content: PanelContent): void {
    const state = JSON.stringify(content);
    if (state === JSON.stringify(this.content)) return;
    this.content = content;
    setText(this.subtitle, content.subtitle ?? '');
    this.subtitle.title = content.subtitle ?? '';
    setAttribute(this.table, 'aria-label', content.title);
    this.field.hidden = content.search === undefined;
    this.field.placeholder = content.search?.placeholder ?? '';
    this.field.setAttribute(
      'aria-label',
      content.search?.placeholder ?? text('page.control.panel.search'),
    );
    this.tabs.draw(content.tabs ?? [], content.tab ?? '');
    this.parts.draw(content.parts ?? []);
    this.drawVerdict(content);
    this.drawFilters(content.filters ?? []);
    this.drawActions(content.actions ?? []);
    this.drawRows(content);
    setText(this.summary, content.summary ?? '');
    this.previous.disabled = content.previous === undefined;
    this.next.disabled = content.next === undefined;
  }

  private drawVerdict({ verdict, error }: PanelContent): void {
    const shown = error ? { text: error.title, detail: error.text, tone: 'bad' } : verdict;
    this.verdict.hidden = shown === undefined;
    if (!shown) return;
    this.verdict.className = `verdict ${shown.tone ?? 'plain'}`;
    fill(this.verdict, h('strong', {}, shown.text), h('span', {}, shown.detail ?? ''));
  }

  private drawFilters(filters: readonly PanelFilter[]): void {
    keyed(
      this.filters,
      filters,
      ({ id, options }) => `${id} ${JSON.stringify(options)}`,
      ({ id, label, options = [] }) => {
        const field =
          options.length === 0
            ? h('input', {
                type: 'text',
                placeholder: label,
                'aria-label': label,
                maxlength: '200',
              })
            : h('select', { 'aria-label': label });
        for (const option of options.length === 0 ? [] : [{ value: '', label }, ...options]) {
          add(field, h('option', { value: option.value }, option.label));
        }
        field.addEventListener(options.length === 0 ? 'input' : 'change', () => {
          this.chosen = { ...this.chosen, [id]: field.value };
          this.soon();
        });
        return field;
      },
      (element, { value }) => {
        const field = element as HTMLInputElement;
        if (document.activeElement !== field) field.value = value ?? '';
      },
    );
  }

  private drawActions(actions: readonly PanelAction[]): void {
    // A file is saved where a window of the shell can ask for its place.
    const here = actions.filter(({ saves }) => saves === undefined);
    keyed(
      this.actions,
      this.context.acts ? here : [],
      ({ id, label, style }) => `${id} ${label} ${style ?? ''}`,
      (action) => {
        const button = h('button', { type: 'button', class: action.style ?? '' }, action.label);
        button.addEventListener('click', () => void this.perform(action));
        return button;
      },
      (element, { disabled }) => {
        (element as HTMLButtonElement).disabled = disabled === true;
      },
    );
  }

  private drawRows(content: PanelContent): void {
    const { columns = [], rows = [], groups = [] } = content;
    const tracks = columns.map(({ weight = 1 }) =>
      weight === 0 ? FITTED : `minmax(0, ${weight}fr)`,
    );
    // Each row is a grid of its own, so no track may follow what is in it.
    if (this.hasButtons) tracks.push(BUTTONS);
    this.table.style.setProperty('--panel-tracks', tracks.join(' '));
    this.table.hidden = rows.length === 0;
    this.empty.hidden = rows.length > 0 || (content.parts ?? []).length > 0;
    fill(
      this.empty,
      h('strong', {}, content.empty?.title ?? text('page.control.panel.nothing')),
      h('br'),
      content.empty?.text ?? '',
    );
    fill(
      this.head,
      ...columns.map(({ title, align }) =>
        h('div', { role: 'columnheader', class: align === 'end' ? 'end' : '' }, title),
      ),
    );
    const lines: Line[] = [];
    let last = '';
    for (const row of rows) {
      const group = row.group ?? '';
      if (group !== last) lines.push({ group });
      last = group;
      lines.push({ row });
    }
    const refocus = this.focusedRow();
    // A line keeps its element, whatever stands in it: a new one on top pushes none aside.
    const keys = new Map(lines.map((line, at) => [line, `${at} ${'row' in line ? 'row' : ''}`]));
    keyed(
      this.rows,
      lines,
      (line) => keys.get(line) ?? '',
      (line) => this.lineOf(line),
      (element, line) => this.drawLine(element, line),
    );
    refocus();
    const named = new Map(groups.map(({ id, title }) => [id, title]));
    for (const heading of this.rows.querySelectorAll<HTMLElement>('.panel-group')) {
      const title = heading.querySelector('strong');
      if (title)
        setText(title, named.get(heading.dataset['id'] ?? '') ?? heading.dataset['id'] ?? '');
    }
    this.mark(this.opened);
  }

  private get hasButtons(): boolean {
    return this.context.acts && (this.content?.rowActions ?? []).length > 0;
  }

  /** Takes the focus to where its row is afterwards. */
  private focusedRow(): () => void {
    const focused = document.activeElement;
    const row = this.rows.contains(focused) ? focused?.closest<HTMLElement>('.panel-row') : null;
    if (!focused || !row) return () => undefined;
    const id = row.dataset['id'];
    const button = [...row.querySelectorAll('button')].findIndex((each) => each === focused);
    return () => {
      const rows = [...this.rows.querySelectorAll<HTMLElement>('.panel-row')];
      const now = rows.find((each) => each.dataset['id'] === id);
      if (now) (now.querySelectorAll('button')[button] ?? now).focus();
    };
  }

  private lineOf(line: Line): HTMLElement {
    if (!('row' in line)) return h('div', { class: 'panel-group', role: 'row' });
    const element = h('div', { class: 'panel-row', role: 'row', tabindex: '-1' });
    element.addEventListener('click', (event) => {
      if (event.target instanceof Element && event.target.closest('button')) return;
      const shown = this.shown.get(element);
      if (shown && 'row' in shown) this.open(shown.row);
    });
    return element;
  }

  private drawLine(element: HTMLElement, line: Line): void {
    const shown = this.shown.get(element);
    this.shown.set(element, line);
    if (shown && JSON.stringify(shown) === JSON.stringify(line)) return;
    element.dataset['id'] = 'row' in line ? line.row.id : line.group;
    fill(element, ...('row' in line ? this.cellsOf(line.row) : this.headingOf(line.group)));
  }

  private headingOf(id: string): HTMLElement[] {
    const group = this.content?.groups?.find((each) => each.id === id);
    return [
      h(
        'span',
        { role: 'gridcell' },
        h('strong', {}),
        h('span', { class: 'quiet mono' }, group?.note ?? ''),
      ),
      h(
        'span',
        { class: 'buttons', role: 'gridcell' },
        ...this.buttonsOf(group?.actions ?? [], id),
      ),
    ];
  }

  private cellsOf(row: PanelRow): HTMLElement[] {
    const aligns = (this.content?.columns ?? []).map(({ align }) => align);
    const cells = row.cells.map((cell, at) => cellOf(cell, aligns[at] === 'end'));
    if (!this.hasButtons) return cells;
    const buttons = this.buttonsOf(row.actions ?? [], row.id);
    return [...cells, h('div', { class: 'buttons', role: 'gridcell' }, ...buttons)];
  }

  private buttonsOf(ids: readonly string[], row: string): HTMLElement[] {
    if (!this.context.acts) return [];
    return ids.flatMap((id) => {
      const action = this.content?.rowActions?.find((each) => each.id === id);
      if (!action || action.saves !== undefined) return [];
      const button = h(
        'button',
        { type: 'button', class: `small ${action.style ?? ''}` },
        action.label,
      );
      button.addEventListener('click', () => void this.perform(action, row));
      return [button];
    });
  }

  private open(row: PanelRow): void {
    const details = row.details ?? [];
    if (details.length === 0) return;
    this.mark(row.id);
    const trace = details.find(({ text: value }) => TRACE_ID.test(value))?.text;
    const look = h('button', { type: 'button' }, icon('traces'), text('page.control.bus.trace'));
    look.addEventListener('click', () => this.context.show('traces', `id:${trace ?? ''}`));
    const [first] = row.cells;
    const title = row.cells.find((cell) => cell.look === 'strong') ?? first;
    this.drawer.open(
      title?.text ?? '',
      '',
      trace === undefined ? [] : [look],
      facts(details.map(({ label, text: value }) => [label, value])),
    );
  }

  private mark(id: string): void {
    this.opened = id;
    for (const row of this.rows.querySelectorAll<HTMLElement>('.panel-row')) {
      setAttribute(row, 'aria-selected', row.dataset['id'] === id && id !== '' ? 'true' : 'false');
    }
  }

  private async perform(action: PanelAction, row?: string): Promise<void> {
    const question: Question | undefined =
      action.confirm === undefined
        ? undefined
        : {
            title: action.confirm,
            label: action.confirmLabel ?? action.label,
            isDangerous: action.style === 'danger',
          };
    const params = () => ({
      name: this.name,
      query: this.query(),
      action: action.id,
      ...(row === undefined ? {} : { row }),
    });
    await this.context.act(
      'panels.perform',
      params,
      text('page.control.panel.done', { action: action.label }),
      question,
    );
    this.poll.now();
  }

  private key(event: KeyboardEvent): void {
    const rows = [...this.rows.querySelectorAll<HTMLElement>('.panel-row')];
    const at = rows.findIndex((row) => row === document.activeElement);
    if (event.key === 'ArrowDown') rows[Math.min(rows.length - 1, at + 1)]?.focus();
    else if (event.key === 'ArrowUp') rows[Math.max(0, at - 1)]?.focus();
    else if (event.key === 'Enter' && at >= 0) rows[at]?.click();
    else return;
    event.preventDefault();
  }

  private soon(): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      this.cursor = '';
      this.poll.now();
    }, TYPING_MS);
  }

  private turn(cursor: string | undefined): void {
    if (cursor === undefined) return;
    this.cursor = cursor;
    this.poll.now();
  }
}

function cellOf(cell: PanelCell, isEnd: boolean): HTMLElement {
  const words =
    cell.time === undefined ? (cell.text ?? '') : `${cell.text ?? ''}${time(cell.time)}`;
  const tone = cell.tone ?? 'plain';
  const value =
    cell.look === 'badge'
      ? h('span', { class: `pill ${tone}` }, words)
      : h('span', { class: `cell-value ${cell.look ?? ''} ${tone}` }, words);
  const box = h(
    'div',
    { role: 'gridcell', class: isEnd ? 'end' : '', title: words.length > 20 ? words : '' },
    value,
  );
  if (cell.note !== undefined && cell.note !== '')
    add(box, h('span', { class: 'cell-note' }, cell.note));
  return box;
}
