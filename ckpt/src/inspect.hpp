/// What the parts of inspect.hpp share.
#pragma once

#include "cairn/ckpt/inspect.hpp"
#include "cairn/core/file.hpp"
#include "record.hpp"
#include "store.hpp"

namespace cairn::ckpt {

[[nodiscard]] EpochInfo info_of(const EpochRecord& record);

/// Reads every byte of the data file that the record has digests of; what is bad is added to
/// `result`.
void verify_data(const EpochStore& store, const EpochRecord& record, const BytesDone& progress,
                 Verification& result);

/// Why the record's digests do not cover each byte of the data file once; empty when they do.
[[nodiscard]] std::string coverage_problem(const EpochRecord& record);

}  // namespace cairn::ckpt
