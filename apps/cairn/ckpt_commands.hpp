/// The commands of `cairn ckpt`. Each gets its own arguments, argv[0] being its name, and returns
/// the exit code; Errors are main's.
#pragma once

namespace cairn::tool {

int ckpt_ls_command(int argc, const char* const* argv);
int ckpt_show_command(int argc, const char* const* argv);
int ckpt_verify_command(int argc, const char* const* argv);
int ckpt_diff_command(int argc, const char* const* argv);
int ckpt_prune_command(int argc, const char* const* argv);
int ckpt_export_command(int argc, const char* const* argv);
int ckpt_rekey_command(int argc, const char* const* argv);

}  // namespace cairn::tool
