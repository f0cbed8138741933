// SPDX-License-Identifier: Apache-2.0
// A guest of the table in C++: puts one entry and gets it again.
//   g++ -std=c++17 guest.cpp $(pkg-config --cflags --libs libelisa)
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <elisa/elisa.h>
#include "table.h"

// Detaches, then closes: an attachment belongs to its handle.
class Table {
public:
	explicit Table(const char *name)
		: buffer(static_cast<char *>(std::aligned_alloc(ELISA_PAGE_SIZE, ELISA_PAGE_SIZE)),
			 std::free)
	{
		elisa *opened;

		if (elisa_open(nullptr, &opened) < 0)
			throw std::runtime_error(elisa_error(nullptr));
		handle.reset(opened);
		// the buffer is shared with the function: all of it is ours to give
		std::memset(buffer.get(), 0, ELISA_PAGE_SIZE);
		if (elisa_attach(opened, name, 0, buffer.get(), ELISA_PAGE_SIZE, &attachment) < 0)
			throw std::runtime_error(elisa_error(opened));
	}

	~Table()
	{
		// the function may still write to a buffer that could not be detached: it stays
		if (elisa_detach(attachment) < 0)
			static_cast<void>(buffer.release());
	}

	void put(const std::string &key, const std::string &value)
	{
		if (value.size() > TABLE_VALUE_MAX)
			throw std::length_error("value");
		std::memcpy(buffer.get() + value_offset, value.data(), value.size());
		call(TABLE_PUT, key, value.size());
	}

	std::string get(const std::string &key)
	{
		const long length = call(TABLE_GET, key, TABLE_VALUE_MAX);
		// the manager's word, which the buffer's end does not depend on
		if (length > TABLE_VALUE_MAX)
			throw std::length_error("value from the table");
		return std::string(buffer.get() + value_offset, static_cast<size_t>(length));
	}

private:
	static constexpr long value_offset = 256;

	long call(table_op op, const std::string &key, size_t length)
	{
		if (key.size() > TABLE_KEY_MAX)
			throw std::length_error("key");
		std::memcpy(buffer.get(), key.data(), key.size());
		elisa_result result;
		do
			result = elisa_call(attachment, op, 0, static_cast<long>(key.size()),
					    value_offset, static_cast<long>(length), 0);
		while (!result.error && result.value == -EBUSY);
		if (result.error)
			throw std::runtime_error(elisa_call_strerror(result.error));
		if (result.value < 0)
			throw std::runtime_error(std::strerror(static_cast<int>(-result.value)));
		return result.value;
	}

	struct Close {
		void operator()(elisa *opened) { elisa_close(opened); }
	};
	std::unique_ptr<char, void (*)(void *)> buffer;
	std::unique_ptr<elisa, Close> handle;
	elisa_attachment *attachment = nullptr;
};

int main()
try {
	Table table("table");

	table.put("colour", "green");
	std::cout << table.get("colour") << "\n";
} catch (const std::exception &error) {
	std::cerr << error.what() << "\n";
	return 1;
}
