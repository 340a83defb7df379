// Calls of the C library that Node has no function for (2.x platform.c: platform_chroot,
// platform_mlockall; error texts as strerror() gives them).
#include <features.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

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

// By default glibc gives each thread a heap of its own and puts blocks of a handshake (16 KiB and more)
// between those that stay, so that a burst of clients leaves holes which never go back to the system.
static napi_value ReturnMemory(napi_env env, napi_callback_info) {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 32 * 1024);
  return MakeInt(env, 1);
#else
  return MakeInt(env, 0);
#endif
}

bool InitProcess(napi_env env, napi_value exports) {
  return DefineFunction(env, exports, "errorText", ErrorText) &&
         DefineFunction(env, exports, "chroot", Chroot) &&
         DefineFunction(env, exports, "lockMemory", LockMemory) &&
         DefineFunction(env, exports, "lockFile", LockFile) &&
         DefineFunction(env, exports, "returnMemory", ReturnMemory);
}

}  // namespace ovpn
