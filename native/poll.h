// A file descriptor watched through libuv: base of Tun and Udp. It owns the descriptor.
//
// Life: Attach() takes the descriptor; Close() (from JavaScript, the garbage collector or the end of
// the environment, whichever is first) stops watching, closes the descriptor and drops the callback,
// so nothing is called afterwards. The uv handle itself lives on until libuv has let go of it.
#ifndef OPENVPN_TS_POLL_H_
#define OPENVPN_TS_POLL_H_

#include <uv.h>

#include "common.h"

namespace ovpn {

constexpr int kReadable = 1;
constexpr int kWritable = 2;

class Pollable : public Wrapped {
 public:
  static constexpr uint32_t kKinds = kTun | kUdp;

  Pollable(napi_env env, uint32_t kind) : Wrapped(kind), env_(env) {}
  virtual ~Pollable();

  // Takes the descriptor over in any case. Throws and returns false on failure.
  bool Attach(int fd, napi_value errors, napi_value callback);
  void Close();
  int fd() const { return fd_; }

  static napi_value JsFd(napi_env env, napi_callback_info info);
  static napi_value JsPoll(napi_env env, napi_callback_info info);
  static napi_value JsRef(napi_env env, napi_callback_info info);
  static napi_value JsUnref(napi_env env, napi_callback_info info);
  static napi_value JsClose(napi_env env, napi_callback_info info);

 protected:
  // The descriptor has an error condition: take it off, or the loop wakes at once again.
  virtual void OnErrorCondition() {}
  // The descriptor is about to be closed. A class that overrides this calls Close() in its destructor.
  virtual void OnClose() {}

  napi_env env_;
  int fd_ = -1;
  ErrorLog errors_;

 private:
  struct Watcher;
  static void OnPoll(uv_poll_t* handle, int status, int events);
  static void OnClosed(uv_handle_t* handle);
  static void OnEnvironmentEnd(napi_async_cleanup_hook_handle hook, void* data);
  int Watch();
  void Call(int events, bool error_condition);

  Watcher* watcher_ = nullptr;
  napi_ref callback_ = nullptr;
  napi_async_context context_ = nullptr;
  int events_ = 0;
};

}  // namespace ovpn

#endif  // OPENVPN_TS_POLL_H_
