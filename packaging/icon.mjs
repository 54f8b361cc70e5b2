// The icon, drawn by arithmetic: a padlock within two arrows that chase each other, for a secret that is renewed.
// A picture of our own, at any size, without a drawing program or a binary file in the repository.

import zlib from 'node:zlib';

const BLUE = [0, 90, 158];
const WHITE = [255, 255, 255];
const SAMPLES = 4; // per pixel and axis, for smooth edges

/** The icon as a PNG of `size` by `size` pixels. */
export function icon(size) {
  const rows = [];
  for (let y = 0; y < size; y++) {
    const row = Buffer.alloc(1 + size * 4); // filter 0, then RGBA
    for (let x = 0; x < size; x++) row.set(pixel(x, y, size), 1 + x * 4);
    rows.push(row);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 6, 0, 0, 0], 8); // 8 bits, RGBA
  const data = zlib.deflateSync(Buffer.concat(rows), { level: 9 });
  const magic = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([magic, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(zlib.crc32(body), body.length + 4);
  return framed;
}

/** The mean of the samples of one pixel; the unit square is the picture. */
function pixel(x, y, size) {
  let ground = 0;
  let figure = 0;
  for (let sy = 0; sy < SAMPLES; sy++) {
    for (let sx = 0; sx < SAMPLES; sx++) {
      const u = (x + (sx + 0.5) / SAMPLES) / size;
      const v = (y + (sy + 0.5) / SAMPLES) / size;
      if (!inRounded(u, v, 0, 0, 1, 1, 0.18)) continue;
      ground++;
      if (inPadlock(u, v) || inArrows(u, v)) figure++;
    }
  }
  if (ground === 0) return [0, 0, 0, 0];
  const share = figure / ground;
  const colour = BLUE.map((value, i) => Math.round(value + (WHITE[i] - value) * share));
  return [...colour, Math.round((255 * ground) / SAMPLES ** 2)];
}

function inRounded(u, v, left, top, right, bottom, radius) {
  const dx = Math.max(left + radius - u, u - right + radius, 0);
  const dy = Math.max(top + radius - v, v - bottom + radius, 0);
  return Math.hypot(dx, dy) <= radius;
}

function inPadlock(u, v) {
  const body = inRounded(u, v, 0.36, 0.47, 0.64, 0.68, 0.03);
  const keyhole = Math.hypot(u - 0.5, v - 0.555) < 0.032 || (Math.abs(u - 0.5) < 0.014 && v > 0.555 && v < 0.625);
  const distance = Math.hypot(u - 0.5, v - 0.42);
  const shackle = (distance > 0.068 && distance < 0.108 && v <= 0.42) || (v > 0.42 && v < 0.48 && Math.abs(Math.abs(u - 0.5) - 0.088) < 0.02);
  return (body && !keyhole) || shackle;
}

/** Two arcs around the middle, each with an arrowhead, running clockwise. */
function inArrows(u, v) {
  return inArrow(u - 0.5, v - 0.5) || inArrow(0.5 - u, 0.5 - v);
}

function inArrow(x, y) {
  const distance = Math.hypot(x, y);
  const angle = Math.atan2(-y, x); // counter-clockwise from the right
  const arc = Math.abs(distance - 0.36) < 0.028 && angle > 0.5 && angle < 2.75;
  // The head: a triangle that ends the arc on its right, widest where it begins.
  const along = 0.5 - angle;
  const head = along >= -0.02 && along <= 0.3 && Math.abs(distance - 0.36) < 0.085 * (1 - along / 0.3);
  return arc || head;
}
