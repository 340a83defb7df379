// Readiness through libuv. One callback per readiness, not per packet. See poll.h.
#include "poll.h"

#include <unistd.h>

namespace ovpn {

struct Pollable::Watcher {
  uv_poll_t handle;
  Pollable* owner;
  napi_async_cleanup_hook_handle hook;
};

Pollable::~Pollable() { Close(); }

bool Pollable::Attach(int fd, napi_value errors, napi_value callback) {
  fd_ = fd;
  uv_loop_t* loop = nullptr;
  napi_value name = MakeText(env_, "OPENVPN_POLL");
  if (napi_get_uv_event_loop(env_, &loop) != napi_ok || !errors_.Init(env_, errors) ||
      napi_create_reference(env_, callback, 1, &callback_) != napi_ok ||
      napi_async_init(env_, nullptr, name, &context_) != napi_ok) {
    ThrowMisuse(env_, "the environment can't watch descriptors");
    return false;
  }
  Watcher* watcher = new Watcher();
  const int result = uv_poll_init(loop, &watcher->handle, fd);
  if (result != 0) {
    delete watcher;
    ThrowErrno(env_, -result, "uv_poll_init");
    return false;
  }
  watcher->owner = this;
  watcher->handle.data = watcher;
  watcher_ = watcher;
  napi_add_async_cleanup_hook(env_, OnEnvironmentEnd, watcher, &watcher->hook);
  return true;
}

void Pollable::Close() {
  if (watcher_ != nullptr) {
    watcher_->owner = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&watcher_->handle), OnClosed);
    watcher_ = nullptr;
  }
  if (fd_ >= 0) {
    OnClose();
    close(fd_);
  }
  fd_ = -1;
  events_ = 0;
  if (callback_ != nullptr) napi_delete_reference(env_, callback_);
  callback_ = nullptr;
  if (context_ != nullptr) napi_async_destroy(env_, context_);
  context_ = nullptr;
  errors_.Release(env_);
}

void Pollable::OnClosed(uv_handle_t* handle) {
  Watcher* watcher = static_cast<Watcher*>(handle->data);
  if (watcher->hook != nullptr) napi_remove_async_cleanup_hook(watcher->hook);
  delete watcher;
}

// Closes what JavaScript left open; OnClosed() tells Node that the handle is gone.
void Pollable::OnEnvironmentEnd(napi_async_cleanup_hook_handle, void* data) {
  Watcher* watcher = static_cast<Watcher*>(data);
  if (watcher->owner != nullptr) watcher->owner->Close();
}

int Pollable::Watch() {
  if (events_ == 0) return uv_poll_stop(&watcher_->handle);
  const int events = ((events_ & kReadable) ? UV_READABLE : 0) | ((events_ & kWritable) ? UV_WRITABLE : 0);
  return uv_poll_start(&watcher_->handle, events, OnPoll);
}

void Pollable::OnPoll(uv_poll_t* handle, int status, int events) {
  Pollable* self = static_cast<Watcher*>(handle->data)->owner;
  if (self == nullptr) return;
  int ready = ((events & UV_READABLE) ? kReadable : 0) | ((events & UV_WRITABLE) ? kWritable : 0);
  if (status < 0) {
    // libuv stops watching on EPOLLERR, which for a socket is only a queued ICMP error.
    ready = self->events_;
    self->Watch();
  }
  self->Call(ready & self->events_, status < 0);
}

void Pollable::Call(int events, bool error_condition) {
  napi_env env = env_;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (error_condition) OnErrorCondition();
  napi_value callback = nullptr, global = nullptr, argument = nullptr;
  napi_get_reference_value(env, callback_, &callback);
  napi_get_global(env, &global);
  napi_create_int32(env, events, &argument);
  // The callback may close and free this object: nothing of it is touched below.
  if (napi_make_callback(env, context_, global, callback, 1, &argument, nullptr) == napi_pending_exception) {
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

napi_value Pollable::JsFd(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Pollable* self = Unwrap<Pollable>(env, args.self());
  return self == nullptr ? nullptr : MakeInt(env, self->fd_);
}

napi_value Pollable::JsPoll(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Pollable* self = Unwrap<Pollable>(env, args.self());
  int32_t events;
  if (self == nullptr || !args.Int(0, &events)) return nullptr;
  if (self->watcher_ == nullptr) return ThrowMisuse(env, "poll() after close()");
  if ((events & ~(kReadable | kWritable)) != 0) return ThrowMisuse(env, "unknown readiness bits");
  if (events == self->events_) return nullptr;
  self->events_ = events;
  const int result = self->Watch();
  return result == 0 ? nullptr : ThrowErrno(env, -result, "uv_poll_start");
}

napi_value Pollable::JsRef(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Pollable* self = Unwrap<Pollable>(env, args.self());
  if (self != nullptr && self->watcher_ != nullptr) {
    uv_ref(reinterpret_cast<uv_handle_t*>(&self->watcher_->handle));
  }
  return nullptr;
}

napi_value Pollable::JsUnref(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Pollable* self = Unwrap<Pollable>(env, args.self());
  if (self != nullptr && self->watcher_ != nullptr) {
    uv_unref(reinterpret_cast<uv_handle_t*>(&self->watcher_->handle));
  }
  return nullptr;
}

napi_value Pollable::JsClose(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Pollable* self = Unwrap<Pollable>(env, args.self());
  if (self != nullptr) self->Close();
  return nullptr;
}

}  // namespace ovpn
