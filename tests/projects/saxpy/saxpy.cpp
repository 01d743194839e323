// y = a x + y, and the name of the classifier that this was compiled for.
#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void saxpy(long n, float a, const float *x, float *y) {
    for (long i = 0; i < n; ++i) {
        y[i] += a * x[i];
    }
}

EXPORT const char *classifier() { return VARIANTKIT_CLASSIFIER; }
