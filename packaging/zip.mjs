// Zip archives as plain values: read one, write one. Written byte for byte the same on every machine and at every
// time, with Unix permissions, which most zip tools leave out. Layout: PKWARE's APPNOTE, sections 4.3 and 4.4.

import zlib from 'node:zlib';

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const DEFLATED = 8;
const UTF8_NAME = 0x0800;
const UNIX = 3; // "version made by": says that the upper half of the attributes is a Unix mode
const REGULAR_FILE = 0o100000;
const JANUARY_1980 = { time: 0, date: 0b0000000_0001_00001 }; // the earliest day a zip can name

/** The entries of an archive, `{ name, mode, bytes }`, folders left out. */
export function read(archive) {
  const end = archive.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0) throw new Error('this is no zip archive');
  const count = archive.readUInt16LE(end + 10);
  const entries = [];
  for (let i = 0, at = archive.readUInt32LE(end + 16); i < count; i++) {
    if (archive.readUInt32LE(at) !== CENTRAL) throw new Error('the zip archive is damaged');
    const lengths = [28, 30, 32].map((offset) => archive.readUInt16LE(at + offset));
    const name = archive.toString('utf8', at + 46, at + 46 + lengths[0]);
    if (!name.endsWith('/')) entries.push({ name, ...contents(archive, at) });
    at += 46 + lengths[0] + lengths[1] + lengths[2];
  }
  return entries;
}

function contents(archive, central) {
  const local = archive.readUInt32LE(central + 42);
  const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const packed = archive.subarray(start, start + archive.readUInt32LE(central + 20));
  const bytes = archive.readUInt16LE(central + 10) === DEFLATED ? zlib.inflateRawSync(packed) : Buffer.from(packed);
  if (zlib.crc32(bytes) !== archive.readUInt32LE(central + 16)) throw new Error('the zip archive is damaged');
  return { mode: (archive.readUInt32LE(central + 38) >>> 16) & 0o777, bytes };
}

/** An archive of these entries, sorted by name. */
export function write(entries) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, mode, bytes } of [...entries].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const packed = zlib.deflateRawSync(bytes, { level: 9 });
    const encoded = Buffer.from(name);

    const header = Buffer.alloc(26); // what the local and the central header have in common
    header.writeUInt16LE(20, 0);
    header.writeUInt16LE(UTF8_NAME, 2);
    header.writeUInt16LE(DEFLATED, 4);
    header.writeUInt16LE(JANUARY_1980.time, 6);
    header.writeUInt16LE(JANUARY_1980.date, 8);
    header.writeUInt32LE(zlib.crc32(bytes), 10);
    header.writeUInt32LE(packed.length, 14);
    header.writeUInt32LE(bytes.length, 18);
    header.writeUInt16LE(encoded.length, 22);

    const madeBy = Buffer.from([20, UNIX]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(((REGULAR_FILE | mode) << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);

    parts.push(signature(LOCAL), header, encoded, packed);
    directory.push(signature(CENTRAL), madeBy, header, rest, encoded);
    offset += 4 + header.length + encoded.length + packed.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, central, signature(END), end]);
}

function signature(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
