'use strict';

// Which of a release's binaries runs here.

/** A release's binaries, each named for the Rust target it was built for, by Node's platform and processor. */
const BINARIES = {
  'linux-x64': 'adopat-x86_64-unknown-linux-gnu', // static: any Linux, musl ones and empty containers too
  'linux-arm64': 'adopat-aarch64-unknown-linux-gnu',
  'darwin-x64': 'adopat-x86_64-apple-darwin',
  'darwin-arm64': 'adopat-aarch64-apple-darwin',
  'win32-x64': 'adopat-x86_64-pc-windows-msvc.exe',
  'win32-arm64': 'adopat-x86_64-pc-windows-msvc.exe', // Windows on Arm runs x64 programs
};

/**
 * The name of the binary for a platform.
 * @throws {Error} one sentence that names what is supported.
 */
function binaryFor(platform = process.platform, processor = process.arch) {
  const name = BINARIES[`${platform}-${processor}`];
  if (!name) {
    const supported = Object.keys(BINARIES).join(', ');
    throw new Error(`there is no adopat for ${platform}-${processor}; supported are ${supported}`);
  }
  return name;
}

module.exports = { binaryFor, BINARIES };
