// Graphs in the ASCII format of the DIMACS challenges.
//
//     c a comment
//     p edge 4 5        vertices and edges; "p col" is the same
//     e 1 2             an edge between vertices that are numbered from 1
//
// Source: Johnson, Trick (eds.), "Cliques, coloring, and satisfiability: second DIMACS
// implementation challenge", DIMACS series 26, 1996.
#pragma once

#include <filesystem>

#include "graph.hpp"

namespace cairn::clique {

/// An edge may stand there twice, in both directions; the number in the header is that of the lines
/// or of the edges. Local.
///
/// @throws Error{no_input, permission, input_output} for what cannot be read; {bad_data} "FILE,
/// line N: why" for what is no such graph, or has more than Graph::most_vertices vertices
[[nodiscard]] Graph read_dimacs(const std::filesystem::path& path);

}  // namespace cairn::clique
