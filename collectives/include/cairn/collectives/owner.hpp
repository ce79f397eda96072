/// Owner<T>: std::unique_ptr for headers that programs include, as <memory> alone costs the
/// compiler more than all of them (`cairn-bench compile`).
#pragma once

#include <utility>

namespace cairn::detail {

/// Deletes its object, which `new` made, at the end of its life. Move-only; may be empty.
template <typename T>
class Owner {
 public:
  Owner() = default;
  explicit Owner(T* object) noexcept : object_(object) {}
  template <typename Derived>
  requires requires(Derived* derived, T* base) { base = derived; }
  Owner(Owner<Derived>&& other) noexcept : object_(other.release()) {}
  Owner(Owner&& other) noexcept : object_(other.release()) {}
  Owner& operator=(Owner&& other) noexcept {
    Owner former(std::exchange(object_, other.release()));
    return *this;
  }
  ~Owner() { delete object_; }

  [[nodiscard]] T* operator->() const noexcept { return object_; }
  [[nodiscard]] T& operator*() const noexcept { return *object_; }
  [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }
  [[nodiscard]] T* release() noexcept { return std::exchange(object_, nullptr); }

 private:
  T* object_ = nullptr;
};

}  // namespace cairn::detail
