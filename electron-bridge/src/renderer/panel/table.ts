import type {
  PanelAction,
  PanelColumn,
  PanelContent,
  PanelGroup,
  PanelRow,
} from '../../generated/protocol';
import { text } from '../language';
import { cellOf, factsOf } from './cell';
import { fill, make } from './element';

export interface TableEvents {
  /**
   * A button of a row or of a group's heading was used; `byKey` where no button was, so that a
   * slip of the finger has to be asked about.
   */
  onAction(action: PanelAction, row: string, rowName: string, byKey: boolean): void;
}

/**
 * The rows of a panel. Rows that did not change keep their elements, so focus, an opened row and
 * what a screen reader is at survive an update.
 */
export class Table {
  private readonly head = make('thead');
  private readonly body = make('tbody');
  private readonly opened = new Set<string>();
  private made = new Map<string, { key: string; element: HTMLTableRowElement }>();
  private columns = '';
  private content: PanelContent | undefined;

  constructor(
    table: HTMLTableElement,
    private readonly events: TableEvents,
  ) {
    table.append(this.head, this.body);
    this.body.addEventListener('click', (event) => this.clicked(event));
    this.body.addEventListener('keydown', (event) => this.pressed(event));
    this.body.addEventListener('focusin', (event) => this.focused(event));
  }

  draw(content: PanelContent): void {
    this.content = content;
    this.drawHead(content);
    const focus = this.rowOf(document.activeElement);
    const place = focus ? this.rows().indexOf(focus) : -1;
    const made = new Map<string, { key: string; element: HTMLTableRowElement }>();
    const wanted = ordered(content).flatMap((item) => this.elementsOf(item, content, made));
    this.made = made;
    settle(this.body, wanted);
    const rows = this.rows();
    // The row that had the focus is gone: the one in its place gets it.
    if (focus && !focus.isConnected) rows[Math.min(place, rows.length - 1)]?.focus();
    if (!rows.some((row) => row.tabIndex === 0) && rows[0]) rows[0].tabIndex = 0;
  }

  /** Gives the focus to the row that had it last. */
  focus(): void {
    (this.rows().find((row) => row.tabIndex === 0) ?? this.rows()[0])?.focus();
  }

  /** Closes the row that is open at the focus; tells whether there was one. */
  closeDetails(): boolean {
    const row = this.rowOf(document.activeElement);
    const id = row?.dataset['row'];
    if (id === undefined || !this.opened.delete(id)) return false;
    this.redraw();
    return true;
  }

  private redraw(): void {
    if (this.content) this.draw(this.content);
  }

  private drawHead({ columns = [], rowActions }: PanelContent): void {
    const key = JSON.stringify([columns, (rowActions ?? []).length > 0]);
    if (key === this.columns) return;
    this.columns = key;
    this.made.clear();
    const row = make('tr');
    const total = columns.reduce((sum, { weight = 1 }) => sum + weight, 0);
    for (const column of columns) row.append(headOf(column, total));
    if ((rowActions ?? []).length > 0) {
      const th = make('th', 'fit');
      th.append(make('span', 'unseen', text('page.panel.actions')));
      row.append(th);
    }
    fill(this.head, row);
  }

  private elementsOf(
    item: PanelRow | PanelGroup,
    content: PanelContent,
    made: Map<string, { key: string; element: HTMLTableRowElement }>,
  ): HTMLTableRowElement[] {
    const isRow = 'cells' in item;
    const open = isRow && this.opened.has(item.id) && hasDetails(item);
    const key = JSON.stringify([item, content.rowActions]);
    const name = `${isRow ? 'r' : 'g'}:${item.id}`;
    const known = this.made.get(name);
    const element =
      known?.key === key
        ? known.element
        : isRow
          ? this.drawRow(item, content)
          : this.drawGroup(item, content);
    if (known && known.element !== element) keepFocus(known.element, element);
    made.set(name, { key, element });
    if (!isRow || !hasDetails(item)) return [element];
    element.setAttribute('aria-expanded', String(open));
    return open ? [element, detailsOf(item, element.cells.length)] : [element];
  }

  private drawRow(row: PanelRow, content: PanelContent): HTMLTableRowElement {
    const element = make('tr', hasDetails(row) ? 'row openable' : 'row');
    element.dataset['row'] = row.id;
    element.tabIndex = -1;
    row.cells.forEach((cell, index) => {
      const column = content.columns?.[index];
      const td = make('td', column ? classOf(column) : '');
      td.append(cellOf(cell));
      element.append(td);
    });
    if ((content.rowActions ?? []).length > 0) {
      element.append(this.buttonsCell(row.actions ?? [], content));
    }
    return element;
  }

  private drawGroup(group: PanelGroup, content: PanelContent): HTMLTableRowElement {
    const element = make('tr', 'group');
    element.dataset['row'] = group.id;
    element.tabIndex = -1;
    const th = make('th');
    th.scope = 'rowgroup';
    th.colSpan = (content.columns ?? []).length;
    const avatar = make('span', 'avatar', initialOf(group.title));
    avatar.setAttribute('aria-hidden', 'true');
    const words = make('span', 'words');
    words.append(make('span', 'strong', group.title));
    if (group.note) words.append(make('code', 'note', group.note));
    const line = make('div', 'heading');
    line.append(avatar, words);
    th.append(line);
    element.append(th);
    if ((content.rowActions ?? []).length > 0) {
      element.append(this.buttonsCell(group.actions ?? [], content));
    }
    return element;
  }

  private buttonsCell(ids: string[], content: PanelContent): HTMLTableCellElement {
    const td = make('td', 'fit buttons');
    const box = make('div');
    for (const id of ids) {
      const action = content.rowActions?.find((known) => known.id === id);
      if (!action) continue;
      const button = make('button', `small ${action.style ?? 'plain'}`, action.label);
      button.type = 'button';
      button.dataset['action'] = id;
      button.tabIndex = -1;
      button.disabled = action.disabled === true;
      box.append(button);
    }
    td.append(box);
    return td;
  }

  private clicked(event: MouseEvent): void {
    const row = this.rowOf(event.target);
    if (!row) return;
    const button = (event.target as HTMLElement).closest('button');
    if (button) this.use(row, button.dataset['action']);
    else if (getSelection()?.toString() === '') this.toggle(row);
  }

  private pressed(event: KeyboardEvent): void {
    const row = this.rowOf(event.target);
    if (!row || event.ctrlKey || event.altKey || event.metaKey) return;
    const onButton = event.target instanceof HTMLButtonElement;
    switch (event.key) {
      case 'ArrowDown':
        this.step(row, 1);
        break;
      case 'ArrowUp':
        this.step(row, -1);
        break;
      case 'Home':
        this.rows()[0]?.focus();
        break;
      case 'End':
        this.rows().pop()?.focus();
        break;
      case 'ArrowRight':
        beside(row, event.target, 1)?.focus();
        break;
      case 'ArrowLeft':
        (beside(row, event.target, -1) ?? row).focus();
        break;
      case 'Enter':
      case ' ':
        if (onButton) return;
        this.toggle(row);
        break;
      case 'Delete':
        this.use(row, row.querySelector<HTMLElement>('button.danger')?.dataset['action'], true);
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  /** One row at a time can be reached with Tab: the one that had the focus last. */
  private focused(event: FocusEvent): void {
    const row = this.rowOf(event.target);
    if (!row) return;
    for (const other of this.rows()) other.tabIndex = other === row ? 0 : -1;
  }

  private step(row: HTMLTableRowElement, by: number): void {
    const rows = this.rows();
    rows[rows.indexOf(row) + by]?.focus();
  }

  private toggle(row: HTMLTableRowElement): void {
    const id = row.dataset['row'];
    if (id === undefined || !row.classList.contains('openable')) return;
    if (!this.opened.delete(id)) this.opened.add(id);
    this.redraw();
    row.focus();
  }

  private use(row: HTMLTableRowElement, id: string | undefined, byKey = false): void {
    const action = this.content?.rowActions?.find((known) => known.id === id);
    const rowId = row.dataset['row'];
    if (action && action.disabled !== true && rowId !== undefined) {
      this.events.onAction(action, rowId, this.nameOf(row), byKey);
    }
  }

  /** The subject of a row in words; with its group, for two groups may have rows alike. */
  private nameOf(row: HTMLTableRowElement): string {
    const { rows = [], groups = [] } = this.content ?? {};
    const id = row.dataset['row'];
    const shown = rows.find((known) => known.id === id);
    const group = groups.find((known) => known.id === (shown?.group ?? id));
    const texts = (shown?.cells ?? []).slice(0, 2).map(({ text = '' }) => text);
    return [group?.title ?? '', ...texts].filter((text) => text !== '').join(' · ');
  }

  private rows(): HTMLTableRowElement[] {
    return [...this.body.querySelectorAll<HTMLTableRowElement>('tr[data-row]')];
  }

  private rowOf(target: EventTarget | null): HTMLTableRowElement | undefined {
    if (!(target instanceof Element) || !this.body.contains(target)) return undefined;
    return target.closest<HTMLTableRowElement>('tr[data-row]') ?? undefined;
  }
}

/** Groups with the rows that are theirs below them; then rows of no group. */
function ordered({ groups = [], rows = [] }: PanelContent): (PanelRow | PanelGroup)[] {
  const known = new Set(groups.map(({ id }) => id));
  const grouped = groups.flatMap((group) => [
    group,
    ...rows.filter((row) => row.group === group.id),
  ]);
  return [...grouped, ...rows.filter(({ group }) => group === undefined || !known.has(group))];
}

function headOf(column: PanelColumn, total: number): HTMLTableCellElement {
  const th = make('th', classOf(column), column.title);
  th.scope = 'col';
  const { weight = 1 } = column;
  if (weight > 0) th.style.width = `${(100 * weight) / total}%`;
  return th;
}

function classOf({ align, weight = 1 }: PanelColumn): string {
  return `${weight > 0 ? 'share' : 'fit'}${align === 'end' ? ' end' : ''}`;
}

/** The first letter or digit of a name, without the code points of hidden characters. */
function initialOf(name: string): string {
  const found = /[\p{L}\p{N}]/u.exec(name.replace(/\\u\{[0-9a-f]+\}/g, ''));
  return found ? found[0].toUpperCase() : '?';
}

function hasDetails({ details = [] }: PanelRow): boolean {
  return details.length > 0;
}

function detailsOf(row: PanelRow, columns: number): HTMLTableRowElement {
  const element = make('tr', 'details');
  const td = make('td');
  td.colSpan = columns;
  const list = make('dl');
  factsOf(row.details ?? [], list);
  td.append(list);
  element.append(td);
  return element;
}

/** The button next to the one with the focus; from the row, its first. */
function beside(row: HTMLElement, at: EventTarget | null, by: number): HTMLElement | undefined {
  const buttons = [...row.querySelectorAll<HTMLElement>('button:not(:disabled)')];
  return buttons[buttons.indexOf(at as HTMLElement) + by];
}

/** Puts `wanted` into `parent`, moving as few of its children as need be. */
function settle(parent: HTMLElement, wanted: HTMLElement[]): void {
  const keep = new Set<Element>(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  wanted.forEach((element, index) => {
    const there = parent.children[index];
    if (there !== element) parent.insertBefore(element, there ?? null);
  });
}

function keepFocus(from: HTMLTableRowElement, to: HTMLTableRowElement): void {
  to.tabIndex = from.tabIndex;
  const { activeElement } = document;
  if (!activeElement || !from.contains(activeElement)) return;
  const action = (activeElement as HTMLElement).dataset['action'];
  from.replaceWith(to);
  const same = to.querySelector<HTMLElement>(`button[data-action="${action ?? ''}"]`);
  (same ?? to).focus();
}
