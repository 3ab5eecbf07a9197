// Contents of cells, which are used again for other rows.
import { setText } from '../dom';

const LONG_WORDS = 18;

export function plain(cell: HTMLElement, words: string, kind = ''): void {
  setText(cell, words);
  cell.title = words.length > LONG_WORDS ? words : '';
  const isEnd = cell.classList.contains('end');
  cell.className = `${isEnd ? 'end ' : ''}${kind}`;
}

export function pill(cell: HTMLElement, words: string, tone: string): void {
  const element = cell.firstElementChild;
  if (!element) return;
  setText(element, words);
  element.className = `pill ${tone}`;
}
