// SPDX-License-Identifier: Apache-2.0
// A guest of the table in Rust: puts one entry and gets it again.
//   rustc -l elisa guest.rs
use std::ffi::{c_char, c_int, c_long, c_void, CStr, CString};

const PAGE: usize = 4096;
const TABLE_GET: c_long = 0;
const TABLE_PUT: c_long = 1;
const KEY_MAX: usize = 250;
const VALUE_MAX: usize = 3000;
const VALUE_OFFSET: usize = 256;
const EBUSY: c_long = 16;

#[repr(C)]
struct CallResult {
    value: c_long,
    error: c_long,
}

extern "C" {
    fn elisa_open(path: *const c_char, handle: *mut *mut c_void) -> c_int;
    fn elisa_close(handle: *mut c_void) -> c_int;
    fn elisa_error(handle: *mut c_void) -> *const c_char;
    fn elisa_attach(handle: *mut c_void, name: *const c_char, flags: u32, exchange: *mut c_void,
                    length: usize, made: *mut *mut c_void) -> c_int;
    fn elisa_detach(attachment: *mut c_void) -> c_int;
    fn elisa_call_c(attachment: *const c_void, a0: c_long, a1: c_long, a2: c_long, a3: c_long,
                    a4: c_long, a5: c_long) -> CallResult;
    fn elisa_call_strerror(error: c_long) -> *const c_char;
}

#[repr(C, align(4096))]
struct Buffer([u8; PAGE]);

struct Table {
    handle: *mut c_void,
    attachment: *mut c_void,
    buffer: *mut Buffer,
}

fn text(message: *const c_char) -> String {
    unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned()
}

impl Table {
    fn attach(name: &str) -> Result<Table, String> {
        let name = CString::new(name).map_err(|error| error.to_string())?;
        let mut table = Table {
            handle: std::ptr::null_mut(),
            attachment: std::ptr::null_mut(),
            buffer: Box::into_raw(Box::new(Buffer([0; PAGE]))),
        };
        unsafe {
            if elisa_open(std::ptr::null(), &mut table.handle) < 0 {
                return Err(text(elisa_error(std::ptr::null_mut())));
            }
            if elisa_attach(table.handle, name.as_ptr(), 0, table.buffer.cast(), PAGE,
                            &mut table.attachment) < 0 {
                return Err(text(elisa_error(table.handle)));
            }
        }
        Ok(table)
    }

    // The function may write the buffer at any time: it is only copied, byte by byte.
    fn copy_in(&mut self, offset: usize, bytes: &[u8]) {
        for (i, byte) in bytes.iter().enumerate() {
            unsafe { self.buffer.cast::<u8>().add(offset + i).write_volatile(*byte) };
        }
    }

    fn call(&mut self, op: c_long, key: &str, length: usize) -> Result<usize, String> {
        if key.len() > KEY_MAX || length > VALUE_MAX {
            return Err("key or value too long".to_string());
        }
        self.copy_in(0, key.as_bytes());
        loop {
            let result = unsafe {
                elisa_call_c(self.attachment, op, 0, key.len() as c_long, VALUE_OFFSET as c_long,
                             length as c_long, 0)
            };
            if result.error != 0 {
                return Err(text(unsafe { elisa_call_strerror(result.error) }));
            }
            if result.value >= 0 {
                return Ok(result.value as usize);
            }
            if result.value != -EBUSY {
                return Err(std::io::Error::from_raw_os_error(-result.value as i32).to_string());
            }
        }
    }

    fn put(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.copy_in(VALUE_OFFSET, &value[..value.len().min(VALUE_MAX)]);
        self.call(TABLE_PUT, key, value.len()).map(|_| ())
    }

    fn get(&mut self, key: &str) -> Result<Vec<u8>, String> {
        let length = self.call(TABLE_GET, key, VALUE_MAX)?.min(VALUE_MAX);
        let from = unsafe { self.buffer.cast::<u8>().add(VALUE_OFFSET) };
        Ok((0..length).map(|i| unsafe { from.add(i).read_volatile() }).collect())
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        unsafe {
            // on failure the buffer is still shared, and stays
            if elisa_detach(self.attachment) == 0 {
                drop(Box::from_raw(self.buffer));
            }
            if !self.handle.is_null() {
                elisa_close(self.handle);
            }
        }
    }
}

fn run() -> Result<(), String> {
    let mut table = Table::attach("table")?;

    table.put("colour", b"green")?;
    println!("{}", String::from_utf8_lossy(&table.get("colour")?));
    Ok(())
}

fn main() {
    if let Err(message) = run() {
        eprintln!("{message}");
        std::process::exit(1);
    }
}
