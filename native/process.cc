// Calls of the C library that Node has no function for (2.x platform.c: platform_chroot,
// platform_mlockall; error texts as strerror() gives them).
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common.h"

namespace ovpn {

static napi_value ErrorText(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int32_t error;
  if (!args.Int(0, &error)) return nullptr;
  return MakeText(env, strerror(error));
}

static napi_value Chroot(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string path;
  if (!args.Text(0, &path)) return nullptr;
  return MakeInt(env, chroot(path.c_str()) == 0 ? 0 : errno);
}

static napi_value LockMemory(napi_env env, napi_callback_info) {
  return MakeInt(env, mlockall(MCL_CURRENT | MCL_FUTURE) == 0 ? 0 : errno);
}

static napi_value LockFile(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int32_t fd;
  if (!args.Int(0, &fd)) return nullptr;
  return MakeInt(env, flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno);
}

bool InitProcess(napi_env env, napi_value exports) {
  return DefineFunction(env, exports, "errorText", ErrorText) &&
         DefineFunction(env, exports, "chroot", Chroot) &&
         DefineFunction(env, exports, "lockMemory", LockMemory) &&
         DefineFunction(env, exports, "lockFile", LockFile);
}

}  // namespace ovpn
