/** Linux behind the API: encodes arguments, calls the kernel through {@code port}, decodes answers. No rule is here. */
package io.github.vfio4j.ffm;
