// Calls of the C library that Node has no function for (2.x platform.c: platform_chroot,
// platform_mlockall; error texts as strerror() gives them).
#include <features.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <cerrno>
#include <cstring>
#include <vector>

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

// -1 for a name that the system doesn't know.
static napi_value UserId(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string name;
  if (!args.Text(0, &name)) return nullptr;
  const passwd* entry = getpwnam(name.c_str());
  return MakeInt(env, entry ? static_cast<int64_t>(entry->pw_uid) : -1);
}

static napi_value GroupId(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string name;
  if (!args.Text(0, &name)) return nullptr;
  const group* entry = getgrnam(name.c_str());
  return MakeInt(env, entry ? static_cast<int64_t>(entry->gr_gid) : -1);
}

// Capabilities belong to a thread: these are for the one that calls, Node's main thread, which configures
// devices and routes. The others lose theirs with the user id.
static bool SetNetAdminAlone() {
  static constexpr uint32_t kept = 1u << CAP_NET_ADMIN;
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {{kept, kept, 0}, {0, 0, 0}};
  return syscall(SYS_capset, &header, data) == 0;
}

// Before the user id changes.
static napi_value KeepCapabilities(napi_env env, napi_callback_info) {
  return MakeInt(env, prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 ? 0 : errno);
}

// After the user id changed: CAP_NET_ADMIN alone is left.
static napi_value RetainNetAdmin(napi_env env, napi_callback_info) {
  bool retained = SetNetAdminAlone() && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0;
  return MakeInt(env, retained ? 0 : errno);
}

// Whether so many more threads can run at a time. They only wait for each other's start.
static napi_value TryThreads(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int32_t count;
  if (!args.Int(0, &count)) return nullptr;
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  auto pass = [](void* shared) -> void* {
    auto* mutex = static_cast<pthread_mutex_t*>(shared);
    pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
    return nullptr;
  };
  std::vector<pthread_t> started;
  int error = 0;
  pthread_mutex_lock(&gate);
  for (int i = 0; i < count && error == 0; i++) {
    pthread_t thread;
    error = pthread_create(&thread, nullptr, pass, &gate);
    if (error == 0) started.push_back(thread);
  }
  pthread_mutex_unlock(&gate);
  for (pthread_t thread : started) pthread_join(thread, nullptr);
  return MakeInt(env, error);
}

bool InitProcess(napi_env env, napi_value exports) {
  return DefineFunction(env, exports, "errorText", ErrorText) &&
         DefineFunction(env, exports, "chroot", Chroot) &&
         DefineFunction(env, exports, "lockMemory", LockMemory) &&
         DefineFunction(env, exports, "lockFile", LockFile) &&
         DefineFunction(env, exports, "returnMemory", ReturnMemory) &&
         DefineFunction(env, exports, "userId", UserId) && DefineFunction(env, exports, "groupId", GroupId) &&
         DefineFunction(env, exports, "keepCapabilities", KeepCapabilities) &&
         DefineFunction(env, exports, "retainNetAdmin", RetainNetAdmin) &&
         DefineFunction(env, exports, "tryThreads", TryThreads);
}

}  // namespace ovpn
