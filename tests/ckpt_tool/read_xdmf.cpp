// Reads an XDMF file by the library that ParaView reads it with, and knows nothing of Cairn: for
// each attribute of each grid a line with the points of the grid along its axes, the attribute's
// name, type and shape, and its bytes in hexadecimal.

#include <XdmfArray.hpp>
#include <XdmfArrayType.hpp>
#include <XdmfAttribute.hpp>
#include <XdmfDomain.hpp>
#include <XdmfReader.hpp>
#include <XdmfRegularGrid.hpp>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <span>

namespace {

void print(XdmfRegularGrid& grid, XdmfAttribute& attribute) {
  attribute.read();
  std::printf("%s|%s|%s%u|%s|", grid.getDimensions()->getValuesString().c_str(),
              attribute.getName().c_str(), attribute.getArrayType()->getName().c_str(),
              8 * attribute.getArrayType()->getElementSize(),
              attribute.getDimensionsString().c_str());
  const std::span bytes(
      static_cast<const unsigned char*>(attribute.getValuesInternal()),
      std::size_t{attribute.getSize()} * attribute.getArrayType()->getElementSize());
  for (const auto byte : bytes) std::printf("%02x", byte);
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return 64;
  const auto domain = shared_dynamic_cast<XdmfDomain>(XdmfReader::New()->read(argv[1]));
  for (unsigned number = 0; number < domain->getNumberRegularGrids(); ++number) {
    const auto grid = domain->getRegularGrid(number);
    for (unsigned a = 0; a < grid->getNumberAttributes(); ++a) print(*grid, *grid->getAttribute(a));
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 65;
}
