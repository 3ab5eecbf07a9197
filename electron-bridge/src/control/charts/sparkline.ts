import { colour, type Colour } from './colours';
import { h } from '../dom';

/** A line without words, for one glance; with a `limit` that is drawn across it. */
export class Sparkline {
  readonly element = h('canvas', { class: 'spark', 'aria-hidden': 'true' });
  private drawn = '';

  constructor(private readonly tint: Colour) {}

  draw(values: readonly (number | null)[], limit?: number, floor = 0): void {
    const canvas = this.element;
    const scale = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * scale);
    const height = Math.round(canvas.clientHeight * scale);
    const stroke = colour(this.tint);
    const state = JSON.stringify([width, height, stroke, limit, values]);
    if (width === 0 || height === 0 || state === this.drawn) return;
    this.drawn = state;
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext('2d');
    if (!context) return;
    const most = Math.max(floor, limit ?? 0, ...values.map((value) => value ?? 0)) || 1;
    const y = (value: number): number => height - scale - (value / most) * (height - 3 * scale);
    const step = width / Math.max(1, values.length - 1);
    const line = new Path2D();
    let begun = false;
    values.forEach((value, at) => {
      if (value === null) begun = false;
      else if (begun) line.lineTo(at * step, y(value));
      else {
        line.moveTo(at * step, y(value));
        begun = true;
      }
    });
    if (limit !== undefined) {
      context.strokeStyle = colour('bad');
      context.globalAlpha = 0.55;
      context.lineWidth = scale;
      context.setLineDash([3 * scale, 3 * scale]);
      context.beginPath();
      context.moveTo(0, y(limit));
      context.lineTo(width, y(limit));
      context.stroke();
      context.setLineDash([]);
      context.globalAlpha = 1;
    }
    context.strokeStyle = stroke;
    context.lineWidth = 1.5 * scale;
    context.lineJoin = 'round';
    context.stroke(line);
    const area = new Path2D();
    values.forEach((value, at) => {
      const next = values[at + 1];
      if (value === null || next === null || next === undefined) return;
      area.moveTo(at * step, height);
      area.lineTo(at * step, y(value));
      area.lineTo((at + 1) * step, y(next));
      area.lineTo((at + 1) * step, height);
    });
    context.globalAlpha = 0.12;
    context.fillStyle = stroke;
    context.fill(area);
  }
}
