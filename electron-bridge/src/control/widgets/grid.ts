import { fill, h, setAttribute, setText } from '../dom';
import { text } from '../../renderer/language';

export interface Column<Row> {
  id: string;
  title: string;
  /** A track of a CSS grid, such as `minmax(160px, 2fr)`. */
  width: string;
  isEnd?: boolean;
  /** Left out where the table is narrower than this many pixels. */
  from?: number;
  /** Makes what is in a cell, once for each element. */
  make?(cell: HTMLElement): void;
  /** Fills a cell; elements are used again for other rows. */
  draw(cell: HTMLElement, row: Row): void;
  /** Sorted by it when its heading is clicked. */
  by?(row: Row): number | string;
}

export interface GridOptions<Row> {
  label: string;
  columns: readonly Column<Row>[];
  key(row: Row): string;
  onOpen?(row: Row): void;
  /** The words where there are no rows, and nobody has looked for any. */
  empty: string;
  height?: number;
}

const ROW_PX = 38;
const SPARE_ROWS = 6;

interface Drawn<Row> {
  element: HTMLElement;
  cells: HTMLElement[];
  row?: Row;
}

/**
 * A table that has elements only for the rows in view, so a hundred thousand scroll like ten. The arrow
 * keys move through it, and Enter opens.
 */
export class Grid<Row> {
  readonly element: HTMLElement;
  private readonly head = h('div', { class: 'grid-head', role: 'row' });
  private readonly body = h('div', { class: 'grid-body', role: 'rowgroup' });
  private readonly scroller: HTMLElement;
  private readonly empty = h('div', { role: 'gridcell' });
  private readonly none: HTMLElement;
  private readonly pool: Drawn<Row>[] = [];
  private readonly observer = new ResizeObserver(() => this.resized());
  private readonly rowPx: number;
  private columns: readonly Column<Row>[];
  private rows: readonly Row[] = [];
  private given: readonly Row[] = [];
  private active = 0;
  private selected = '';
  private sorted: { id: string; isDown: boolean } | undefined;
  private frame = 0;

  constructor(private readonly options: GridOptions<Row>) {
    this.rowPx = options.height ?? ROW_PX;
    this.columns = options.columns;
    this.none = h(
      'div',
      { class: 'none', role: 'rowgroup' },
      h('div', { role: 'row' }, this.empty),
    );
    this.scroller = h('div', { class: 'grid-scroll' }, this.head, this.body);
    this.element = h(
      'div',
      { class: 'grid', role: 'grid', tabindex: '0', 'aria-label': options.label },
      this.scroller,
      this.none,
    );
    this.element.style.setProperty('--row-height', `${this.rowPx}px`);
    this.scroller.addEventListener('scroll', () => this.soon());
    this.element.addEventListener('keydown', (event) => this.key(event));
    this.element.addEventListener('focus', () => this.mark());
    this.body.addEventListener('click', (event) => this.click(event));
    this.observer.observe(this.scroller);
    this.drawHead();
  }

  /** `isSearched` tells that there may be rows which don't fit. */
  draw(rows: readonly Row[], isSearched = false): void {
    this.given = rows;
    this.sort();
    this.none.hidden = rows.length > 0;
    setText(this.empty, isSearched ? text('page.control.nothing-fits') : this.options.empty);
    setAttribute(this.element, 'aria-rowcount', String(rows.length));
    this.body.style.height = `${this.rows.length * this.rowPx}px`;
    this.paint();
  }

  /** The row that is open beside the table. */
  select(key: string): void {
    this.selected = key;
    this.paint();
  }

  focus(): void {
    this.element.focus();
  }

  close(): void {
    this.observer.disconnect();
    window.cancelAnimationFrame(this.frame);
  }

  private resized(): void {
    const width = this.scroller.clientWidth;
    const columns = this.options.columns.filter(({ from }) => from === undefined || width >= from);
    if (columns.length !== this.columns.length) {
      this.columns = columns;
      this.pool.splice(0).forEach(({ element }) => element.remove());
      this.drawHead();
    }
    this.paint();
  }

  private sort(): void {
    const column = this.options.columns.find(({ id }) => id === this.sorted?.id);
    if (!column?.by) {
      this.rows = this.given;
      return;
    }
    const sign = this.sorted?.isDown ? -1 : 1;
    this.rows = [...this.given].sort((left, right) => {
      const a = column.by?.(left) ?? 0;
      const b = column.by?.(right) ?? 0;
      return a === b ? 0 : a < b ? -sign : sign;
    });
  }

  private drawHead(): void {
    const template = this.columns.map(({ width }) => width).join(' ');
    this.element.style.setProperty('--tracks', template);
    fill(
      this.head,
      ...this.columns.map((column) => {
        const cell = h('div', { role: 'columnheader', class: column.isEnd ? 'end' : '' });
        if (!column.by) {
          cell.textContent = column.title;
          return cell;
        }
        const mine = this.sorted?.id === column.id ? this.sorted : undefined;
        setAttribute(cell, 'aria-sort', mine ? (mine.isDown ? 'descending' : 'ascending') : 'none');
        const button = h('button', { type: 'button', class: 'sort' }, column.title);
        button.addEventListener('click', () => this.sortBy(column));
        cell.append(button);
        return cell;
      }),
    );
  }

  private sortBy({ id }: Column<Row>): void {
    const wasMine = this.sorted?.id === id;
    if (wasMine && !this.sorted?.isDown) this.sorted = undefined;
    else this.sorted = { id, isDown: !wasMine };
    this.drawHead();
    this.sort();
    this.paint();
    this.head.querySelector<HTMLElement>(`:nth-child(${this.place(id)}) button`)?.focus();
  }

  private place(id: string): number {
    return this.columns.findIndex((column) => column.id === id) + 1;
  }

  private soon(): void {
    window.cancelAnimationFrame(this.frame);
    this.frame = window.requestAnimationFrame(() => this.paint());
  }

  private paint(): void {
    const height = this.scroller.clientHeight;
    if (height === 0) return;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / this.rowPx) - SPARE_ROWS);
    const count = Math.min(
      this.rows.length - first,
      Math.ceil(height / this.rowPx) + 2 * SPARE_ROWS,
    );
    while (this.pool.length < count) this.pool.push(this.make());
    this.pool.forEach((drawn, place) => {
      // An element keeps its row while that stays in view, so scrolling moves few of them.
      const at = first + mod(place - first, this.pool.length);
      this.put(drawn, at, at < first + count ? this.rows[at] : undefined);
    });
  }

  private make(): Drawn<Row> {
    const cells = this.columns.map((column) => {
      const cell = h('div', { role: 'gridcell', class: column.isEnd ? 'end' : '' });
      column.make?.(cell);
      return cell;
    });
    const element = h('div', { role: 'row', class: 'grid-row' }, ...cells);
    this.body.append(element);
    return { element, cells };
  }

  private put(drawn: Drawn<Row>, at: number, row: Row | undefined): void {
    const { element, cells } = drawn;
    element.hidden = row === undefined;
    if (row === undefined) return;
    const top = `translateY(${at * this.rowPx}px)`;
    if (element.style.transform !== top) element.style.transform = top;
    setAttribute(element, 'aria-rowindex', String(at + 1));
    element.dataset['at'] = String(at);
    const key = this.options.key(row);
    element.classList.toggle('active', at === this.active);
    setAttribute(element, 'aria-selected', key === this.selected ? 'true' : 'false');
    this.columns.forEach((column, place) => {
      const cell = cells[place];
      if (cell) column.draw(cell, row);
    });
    element.id = `${this.options.label}-${at}`.replace(/\W+/g, '-');
    if (at === this.active) this.element.setAttribute('aria-activedescendant', element.id);
  }

  private mark(): void {
    this.paint();
  }

  private key(event: KeyboardEvent): void {
    if (event.target !== this.element) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.rowPx) - 1);
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -this.rows.length,
      End: this.rows.length,
    };
    const step = steps[event.key];
    if (step !== undefined) {
      this.active = Math.min(this.rows.length - 1, Math.max(0, this.active + step));
      this.reveal();
    } else if (event.key === 'Enter' || event.key === ' ') {
      const row = this.rows[this.active];
      if (row !== undefined) this.options.onOpen?.(row);
    } else return;
    event.preventDefault();
  }

  private reveal(): void {
    const top = this.active * this.rowPx;
    const height = this.scroller.clientHeight - this.head.offsetHeight;
    const { scrollTop } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + this.rowPx > scrollTop + height)
      this.scroller.scrollTop = top + this.rowPx - height;
    this.paint();
  }

  private click(event: Event): void {
    if (event.target instanceof Element && event.target.closest('button')) return;
    const element = event.target instanceof Element ? event.target.closest('.grid-row') : null;
    const at = Number((element as HTMLElement | null)?.dataset['at'] ?? -1);
    const row = this.rows[at];
    if (row === undefined) return;
    this.active = at;
    this.options.onOpen?.(row);
    this.paint();
  }
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by;
}
