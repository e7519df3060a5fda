// Markdown tables.

export function table(title, columns, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = columns.map((_, index) => (index === 0 ? '---' : '---:'));
  return [`**${title}**`, '', line(columns), line(rule), ...rows.map(line)].join('\n');
}

export const whole = (number) => Math.round(number).toLocaleString('en-US');
export const fixed = (number, digits) => number.toFixed(digits);
export const percent = (part) => `${(part * 100).toFixed(1)} %`;
